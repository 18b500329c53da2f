"""kubewatch: the kube-rs watch and controller runtime for synchronous Python.

>>> from kubewatch import Api, watcher
>>> pods = watcher(Api("pods")).default_backoff().applied_objects()     # no request yet: pulling it makes them

Importing this package starts nothing and loads neither the official client nor a configuration; what is for controllers
is loaded when one of their names is first asked for.
"""

import importlib
import sys
from typing import TYPE_CHECKING

from . import conditions, predicates
from .api import Api
from .client import Client
from .config import Config
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

if TYPE_CHECKING:
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
    )
    from .controller.retry import retry
    from .program import Program

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

if not TYPE_CHECKING:
    # Who only watches needs no controllers: their modules are loaded when one of their names is first asked for, which
    # Python tells by calling this function (PEP 562). Type checkers read the imports above instead: to them, a module
    # with such a function has whatever name is asked for.
    _LATER = ("controller", "program")

    def __getattr__(name):
        if name in _LATER:
            return importlib.import_module(f"{__name__}.{name}")
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
        module = importlib.import_module(f"{__name__}.{'program' if name == 'Program' else 'controller'}")
        value = globals()[name] = getattr(module, name)  # where Python finds it from now on
        return value

    def __dir__():
        return sorted({*globals(), *__all__, *_LATER})
