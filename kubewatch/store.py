"""`store()`: a cache of what a watch saw, written by one stream, read by any thread, that knows how fresh it is.

    reader, writer = store(indexes={"node": lambda pod: [pod.spec.nodeName]})
    stream = watcher(Api("pods")).default_backoff().reflect(writer)       # whoever iterates this fills the store
    reader.wait_until_ready(timeout=30)                                   # seconds; on another thread
    reader.get("web-0", "shop"), reader.select("app=web"), reader.index("node", "worker-1")

Objects are shared, not copied, and immutable. Readers never wait for the writer nor the writer for readers; a relist
becomes visible all at once (`table.py` says how). Every read shows the store at one moment; two reads may show two.
https://docs.rs/kube-runtime/latest/kube_runtime/reflector/store/index.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from . import freshness
from .errors import InvalidInput, StaleAfterFork, WatchError
from .events import Apply, Delete, Event, Init, InitApply, InitDone
from .freshness import Freshness
from .indexes import Indexer, IndexFunction, by_label, by_namespace, by_owner
from .objects import Object, key_of, meta_of
from .ref import ObjectRef
from .selectors import LabelSelector, Requirement
from .stop import Stop
from .table import Key, Table
from .vitals import Vitals

T = TypeVar("T")

# `select` has its labels' keys indexed: in a store of this many objects, and for this many keys. Below and beyond it
# goes through the store, so that memory is bounded.
SELECT_INDEX_FROM = 100
SELECT_INDEXES = 16


class Store(Generic[T]):
    """The readers' side; safe to use from any thread. `len(store)`, `x in store` and iteration work as in a set.

    Reads raise `StaleAfterFork` in the child of the process whose stream fills the store, as that stream's thread is
    not there: start a stream in the child, or call `allow_stale()`.
    """

    def __init__(self, indexes: Mapping[str, IndexFunction[T]]) -> None:
        declared = {name: Indexer(name, function) for name, function in indexes.items()}
        self._known: dict[Hashable, Indexer[T]] = {
            "namespace": Indexer("namespace", by_namespace),
            "owner": Indexer("owner", by_owner),
        }
        self._known.update(declared)
        self._labels: dict[str, Indexer[T]] = {}  # by label key, for `select`
        self._wanted: dict[Hashable, Indexer[T]] = {}  # asked for by readers, to be built by the writer
        self._table: Table[T] = Table(declared.values())
        self._fresh = Freshness()

    # Reading

    def get(self, ref: Any, namespace: str | None = None) -> T | None:
        """The object that `ref` names (an `ObjectRef`, an object, or a name with its `namespace`), or None.

        >>> reader.get("web-0", "shop"), reader.get(ObjectRef("Pod", "web-0", "shop"))       # doctest: +SKIP

        A reference with a namespace finds a cluster-scoped object; one without finds no namespaced object.
        """
        if self._fresh.process != freshness.forks:
            self._fresh.check_process()
        objects = self._table.objects
        if isinstance(ref, str):
            try:
                return objects[namespace or "", ref]
            except KeyError:
                return objects.get(("", ref))
        try:
            found = objects[ref.namespace or "", ref.name]
        except KeyError:
            found = objects.get(("", ref.name))  # type: ignore[assignment]  # None is looked for below
        return found if found is not None and _is_kind(found, ref) else None

    def find(self, predicate: Callable[[T], object]) -> T | None:
        """The first object that `predicate` is true for, or None. It runs on the caller's thread, holding no lock."""
        return next((obj for obj in self.state() if predicate(obj)), None)

    def filter(self, predicate: Callable[[T], object]) -> list[T]:
        """The objects that `predicate` is true for. It runs on the caller's thread, holding no lock."""
        return [obj for obj in self.state() if predicate(obj)]

    def state(self) -> list[T]:
        """All objects at this moment, in no particular order; the list is the caller's own."""
        if self._fresh.process != freshness.forks:
            self._fresh.check_process()
        return list(self._table.objects.values())

    def keys(self) -> list[ObjectRef]:
        """References to all objects at this moment."""
        return [_ref_of(obj) for obj in self.state()]

    def select(self, selector: str | Mapping[str, Any] | LabelSelector) -> list[T]:
        """The objects whose labels match: text as for kubectl's `-l`, labels, or a LabelSelector as in a manifest.

        >>> reader.select("app=web,!canary"), reader.select(deployment.spec.selector)        # doctest: +SKIP

        Raises `InvalidInput` for a bad selector.
        """
        objects, left = self._narrowed(LabelSelector.of(selector))
        for requirement in left:
            objects = [obj for obj in objects if requirement.matches(_labels_of(obj))]
        return objects

    def index(self, name: str, value: Hashable) -> list[T]:
        """The objects that the index `name` holds under `value`.

        Besides those given to `store(indexes=…)` there are `namespace`, `owner` (a uid, or what has one: an object or
        a reference) and `label` (`"app=web"`). They are built when first asked for.
        Raises `InvalidInput` when there is no such index.
        """
        if name == "label" and name not in self._known:
            return self.select(str(value))
        indexer = self._known.get(name)
        if indexer is None:
            raise InvalidInput(
                f"there is no index {name!r} here, only {', '.join(map(str, [*self._known, 'label']))}; "
                f"declare it: store(indexes={{{name!r}: lambda obj: [...]}})"
            )
        if name == "owner":
            value = getattr(value, "uid", value)
        found = self._indexed(indexer, value)
        return found if found is not None else [obj for obj in self.state() if indexer.matches(obj, value)]

    def __len__(self) -> int:
        if self._fresh.process != freshness.forks:
            self._fresh.check_process()
        return len(self._table.objects)

    def __iter__(self) -> Iterator[T]:
        return iter(self.state())

    def __contains__(self, ref: object) -> bool:
        return self.get(ref) is not None

    # Readiness and freshness

    @property
    def is_ready(self) -> bool:
        """Whether a list was complete once; it stays so."""
        return self._fresh.ready and self._fresh.is_of_this_process

    def wait_until_ready(self, timeout: float | None = None) -> bool:
        """Wait until the first list is complete, `timeout` seconds at most (None: as long as it takes); returns True.

        It does not iterate the stream that fills the store: another thread does.
        Raises `TimeoutError` saying why, and `WriterDropped` when the store's stream ended before that.
        """
        self._fresh.check_process()
        self._fresh.wait_until_ready(timeout)
        return True

    @property
    def age(self) -> float:
        """Seconds since the server was last heard from, bookmarks included; infinite when it never was."""
        return self._fresh.age

    def is_live(self, within: float) -> bool:
        """Whether this is what the server had at most `within` seconds ago: made for liveness probes.

        It is when the store is ready, its stream has not ended, and the server was heard from. While a relist is under
        way, what the store holds ages, however much the server says.
        """
        return self._fresh.is_live(within)

    @property
    def closed(self) -> bool:
        """Whether the stream has ended: what the store holds can be read, and grows old."""
        return self._fresh.ended

    @property
    def last_error(self) -> WatchError | None:
        """The newest error of the stream, also when it has recovered since."""
        return self._fresh.vitals.last_error if self._fresh.vitals is not None else None

    @property
    def resource_version(self) -> str | None:
        """The version up to which everything was seen; None before the first list."""
        return self._fresh.vitals.resource_version if self._fresh.vitals is not None else None

    @property
    def dropped(self) -> int:
        """How many objects of the stream could not be decoded; of these the store holds an older state, or none."""
        return self._fresh.vitals.dropped if self._fresh.vitals is not None else 0

    @property
    def index_failures(self) -> dict[str, int]:
        """How often the functions of indexes failed, by the index's name; such objects are stored all the same."""
        return {str(name): indexer.failures for name, indexer in self._known.items() if indexer.failures}

    def allow_stale(self) -> None:
        """Allow reads in a forked child: of what the store held at the fork, for ever."""
        self._fresh.allow_stale()

    def __repr__(self) -> str:
        return f"<Store of {len(self._table.objects)} objects, {self._fresh}>"

    def __reduce__(self) -> Any:
        raise TypeError("a Store belongs to one process: send `store.state()`, or start a stream in the other process")

    # Private

    def _narrowed(self, selector: LabelSelector) -> tuple[list[T], list[Requirement]]:
        """Objects among which are all that match, and the requirements that are left to be looked at."""
        left = list(selector.requirements)
        for requirement in left:
            if requirement.operator == "=" and (indexer := self._label_indexer(requirement.key)):
                found = self._indexed(indexer, requirement.values[0])
                if found is not None:
                    left.remove(requirement)
                    return found, left
                break
        return self.state(), left

    def _label_indexer(self, key: str) -> Indexer[T] | None:
        indexer = self._labels.get(key)
        if indexer is None and len(self) >= SELECT_INDEX_FROM and len(self._labels) < SELECT_INDEXES:
            indexer = self._labels.setdefault(key, Indexer(("label", key), by_label(key)))
        return indexer

    def _indexed(self, indexer: Indexer[T], value: Hashable) -> list[T] | None:
        """The objects of `value`; None where the index is yet to be built."""
        if self._fresh.process != freshness.forks:
            self._fresh.check_process()
        table = self._table
        index = table.indexes.get(indexer.name)
        if index is not None:
            return index.find(table.objects, value)
        # The writer builds it with its next event, so that neither waits for the other.
        self._wanted[indexer.name] = indexer
        return None


class Writer(Generic[T]):
    """The writing side: one stream's, and one thread's at a time. Pass it to `.reflect(writer)` or `reflector`."""

    def __init__(self, store: Store[T]) -> None:
        self._store = store
        self._indexers = {index.indexer.name: index.indexer for index in store._table.indexes.values()}
        self._namespaces: dict[str, str] = {}  # one text for each, whatever the number of objects in it
        self._process = -1  # the process that may write; none yet
        # Held while an event is applied, never waited for: it finds two threads, or an index function, writing at once.
        self._busy = threading.Lock()
        self._draft: Table[T] | None = None  # the relist under way
        self._live: set[Key] = set()  # keys that changed live since it began

    def follow(self, vitals: Vitals, stop: Stop) -> None:
        """Take the stream's health as the store's. Raises `InvalidInput` when a stream is followed already."""
        if not self._store._fresh.is_of_this_process:
            self._restart()
        self._store._fresh.follow(vitals, stop)

    def apply(self, event: Event[T]) -> Sequence[T]:
        """Work an event into the store, on the caller's thread.

        Returns the objects that a relist found gone, of which no `Delete` tells; empty for every other event.
        Raises `InvalidInput` when used after `close()`, or by two threads at once.
        """
        if self._process != freshness.forks:
            self._admit()
        if not self._busy.acquire(False):
            raise InvalidInput("a store has one writer, and it is busy: use one stream, on one thread")
        try:
            if self._store._wanted:
                self._build_indexes()
            if isinstance(event, Apply):
                self._put_live(event.object)
            elif isinstance(event, InitApply):
                self._put_listed(event.object)
            elif isinstance(event, Delete):
                self._remove_live(event.object)
            elif isinstance(event, Init):
                self._begin_list()
            elif isinstance(event, InitDone):
                return self._finish_list()
            else:
                raise TypeError(f"a store takes events, not {type(event).__name__}: put reflect before applied_objects")
        finally:
            self._busy.release()
        return ()

    def close(self) -> None:
        """No event will come any more; whoever waits for the store to become ready is told. Idempotent."""
        self._process = -1
        self._store._fresh.close()

    def __del__(self) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a Writer belongs to one process: make a store in the other process")

    def _put_live(self, obj: T) -> None:
        key = key_of(obj)
        table = self._store._table
        if key not in table.objects:
            key = self._shared(key)
        table.put(key, obj)
        if self._draft is not None:
            self._draft.put(key, obj)
            self._live.add(key)

    def _remove_live(self, obj: T) -> None:
        key = key_of(obj)
        self._store._table.remove(key)
        if self._draft is not None:
            self._draft.remove(key)
            self._live.add(key)

    def _begin_list(self) -> Table[T]:
        self._draft = Table(self._indexers.values())
        self._live = set()
        self._store._fresh.begin_list()
        return self._draft

    def _put_listed(self, obj: T) -> None:
        draft = self._draft if self._draft is not None else self._begin_list()
        key = self._shared(key_of(obj))
        # What came live since the list began is newer than the list.
        if key not in self._live:
            draft.put(key, obj)

    def _finish_list(self) -> Sequence[T]:
        gone: Sequence[T] = ()
        draft = self._draft
        if draft is not None:
            old = self._store._table.objects
            self._store._table = draft  # here the relist happens, for every reader at once
            self._draft = None
            gone = [old[key] for key in old.keys() - draft.objects.keys()]
            for indexer in self._indexers.values():
                indexer.forget_failures_except(draft.objects)
        self._store._fresh.finish_list()
        return gone

    def _shared(self, key: Key) -> Key:
        namespace, name = key
        return self._namespaces.setdefault(namespace, namespace), name

    def _build_indexes(self) -> None:
        wanted = self._store._wanted
        while wanted:
            name, indexer = wanted.popitem()
            if name not in self._indexers:
                self._indexers[name] = indexer
                self._store._table.build(indexer)
                if self._draft is not None:
                    self._draft.build(indexer)

    def _admit(self) -> None:
        """The first write in this process: refuse it after the end, and where the stream is the parent process's."""
        fresh = self._store._fresh
        if not fresh.is_of_this_process:
            raise StaleAfterFork("this writer's stream is the parent process's: start one here, and reflect it")
        if fresh.closed:
            raise InvalidInput("this writer is closed: make a new pair with store()")
        fresh.used = True
        self._process = freshness.forks

    def _restart(self) -> None:
        """Begin anew in a fork's child; locks are new, as the parent's threads may have held the old ones."""
        self._busy = threading.Lock()
        self._draft, self._live = None, set()
        self._store._table = Table(self._indexers.values())
        self._store._fresh.restart()


@overload
def store(indexes: Mapping[str, IndexFunction[Object]] | None = None) -> tuple[Store[Object], Writer[Object]]: ...
@overload
def store(indexes: Mapping[str, IndexFunction[T]] | None = None, *, of: type[T]) -> tuple[Store[T], Writer[T]]: ...
def store(indexes: Mapping[str, IndexFunction[Any]] | None = None, *, of: type[Any] = Object) -> Any:
    """A store and its writer; `indexes` are functions from an object to the values that `Store.index` finds it by.

    >>> reader, writer = store(indexes={"node": lambda pod: [pod.spec.nodeName]})
    >>> reader
    <Store of 0 objects, not ready, never heard>

    The writer goes to one stream; when that stream ends, or the writer is dropped, the store says so. `of` is for type
    checkers, where something else than `Object` is stored: `store(of=PartialObjectMeta)`.
    Raises `InvalidInput` for an index that is no function.
    """
    for name, function in (indexes or {}).items():
        if not callable(function):
            raise InvalidInput(f"index {name!r} must be a function from an object to its values, not {function!r}")
    reader: Store[Any] = Store(indexes or {})
    return reader, Writer(reader)


def _is_kind(obj: Any, ref: Any) -> bool:
    """Whether `obj` is of the kind that `ref` names, as far as both tell; versions of a group are all the same kind."""
    kind = getattr(obj, "kind", None)
    if not kind or not ref.kind:
        return True
    if kind != ref.kind:
        return False
    return obj.api_version == ref.api_version or _group(obj.api_version) == _group(ref.api_version)


def _labels_of(obj: Any) -> Mapping[str, str]:
    return obj.metadata.labels or {}


def _group(api_version: str | None) -> str:
    return (api_version or "").rpartition("/")[0]


def _ref_of(obj: Any) -> ObjectRef:
    if isinstance(ref := getattr(obj, "ref", None), ObjectRef):
        return ref
    meta = meta_of(obj)
    kind, api_version = getattr(obj, "kind", None), getattr(obj, "api_version", None)
    return ObjectRef(
        kind or type(obj).__name__,
        meta.name,
        meta.namespace,
        api_version or "v1",
        meta.resource_version or None,
        meta.uid or None,
    )
