"""kubewatch: the kube-rs watch and controller runtime for synchronous Python.

>>> from kubewatch import Api, watcher
>>> pods = watcher(Api("pods")).default_backoff().applied_objects()     # no request yet: pulling it makes them

Importing this package starts nothing and loads neither the official client nor a configuration.
"""

from . import conditions, predicates
from .api import Api
from .client import Client
from .config import Config
from .controller import (
    Action,
    Controller,
    ControllerError,
    ObjectNotFound,
    QueueError,
    Reconciled,
    ReconcilerFailed,
    RunnerError,
    RunningController,
    Stats,
    Summary,
    retry,
)
from .errors import (
    ApiError,
    AuthError,
    ConditionFailed,
    ConditionTimeout,
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
from .live import LiveStore, live
from .metadata import ObjectMeta
from .objects import Object, PartialObjectMeta
from .program import Program
from .prune import prune
from .ref import ObjectRef, OwnerReference, owner_reference
from .reflector import reflector
from .selectors import LabelSelector, parse_labels
from .shared import SharedWriter, store_shared
from .store import Store, Writer, store
from .streams import EventStream, ObjectStream, merge
from .wait import await_condition, delete_and_finalize
from .watch_object import watch_object
from .watcher import metadata_watcher, watcher

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Api",
    "ApiError",
    "Apply",
    "AuthError",
    "Client",
    "ConditionFailed",
    "ConditionTimeout",
    "Config",
    "Controller",
    "ControllerError",
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
    "LabelSelector",
    "LiveStore",
    "NoResourceVersion",
    "Object",
    "ObjectMeta",
    "ObjectNotFound",
    "ObjectRef",
    "ObjectStream",
    "OwnerReference",
    "PartialObjectMeta",
    "Program",
    "QueueError",
    "Reconciled",
    "ReconcilerFailed",
    "RunnerError",
    "RunningController",
    "SharedWriter",
    "StaleAfterFork",
    "Stats",
    "Store",
    "StreamUsed",
    "Summary",
    "UnknownKind",
    "Unreachable",
    "Unreadable",
    "WatchError",
    "WatchFailed",
    "WatchStartFailed",
    "WatchStatusError",
    "Writer",
    "WriterDropped",
    "await_condition",
    "conditions",
    "delete_and_finalize",
    "live",
    "merge",
    "metadata_watcher",
    "owner_reference",
    "parse_labels",
    "predicates",
    "prune",
    "reflector",
    "retry",
    "store",
    "store_shared",
    "watch_object",
    "watcher",
]
