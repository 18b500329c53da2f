"""kubewatch: the kube-rs watch and controller runtime for synchronous Python.

>>> from kubewatch import Api, watcher
>>> pods = watcher(Api("pods")).default_backoff().applied_objects()     # no request yet: pulling it makes them

Importing this package starts nothing and loads neither the official client nor a configuration.
"""

from . import predicates
from .api import Api
from .client import Client
from .config import Config
from .errors import (
    ApiError,
    AuthError,
    DecodeFailed,
    FunctionFailed,
    InitialListFailed,
    InvalidInput,
    KubewatchError,
    NoResourceVersion,
    StaleAfterFork,
    StreamUsed,
    UnknownKind,
    Unreachable,
    Unreadable,
    WatchError,
    WatchFailed,
    WatchStartFailed,
    WatchStatusError,
    WriterDropped,
)
from .events import Apply, Delete, Event, Init, InitApply, InitDone
from .objects import Object, ObjectMeta, PartialObjectMeta
from .prune import prune
from .ref import ObjectRef, OwnerReference
from .reflector import reflector
from .store import Store, Writer, store
from .streams import EventStream, ObjectStream, merge
from .watch_object import watch_object
from .watcher import metadata_watcher, watcher

__version__ = "0.1.0"

__all__ = [
    "Api",
    "ApiError",
    "Apply",
    "AuthError",
    "Client",
    "Config",
    "DecodeFailed",
    "Delete",
    "Event",
    "EventStream",
    "FunctionFailed",
    "Init",
    "InitApply",
    "InitDone",
    "InitialListFailed",
    "InvalidInput",
    "KubewatchError",
    "NoResourceVersion",
    "Object",
    "ObjectMeta",
    "ObjectRef",
    "ObjectStream",
    "OwnerReference",
    "PartialObjectMeta",
    "StaleAfterFork",
    "Store",
    "StreamUsed",
    "UnknownKind",
    "Unreachable",
    "Unreadable",
    "WatchError",
    "WatchFailed",
    "WatchStartFailed",
    "WatchStatusError",
    "Writer",
    "WriterDropped",
    "merge",
    "metadata_watcher",
    "predicates",
    "prune",
    "reflector",
    "store",
    "watch_object",
    "watcher",
]
