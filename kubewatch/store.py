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

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Generic, TypeVar, overload

from . import freshness
from .errors import InvalidInput, WatchError
from .freshness import Freshness
from .indexes import Indexer, IndexFunction, by_label, by_namespace, by_owner
from .objects import Object, PartialObjectMeta, key_of, labels_of, meta_of
from .ref import ObjectRef
from .selectors import LabelSelector, Requirement
from .table import Key, Table
from .writer import Writer

__all__ = ["Store", "Writer", "store"]

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
        self._owner: Indexer[T] = Indexer("owner", by_owner)
        self._known: dict[Hashable, Indexer[T]] = {
            "namespace": Indexer("namespace", by_namespace),
            "owner": self._owner,
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

        A reference with a namespace finds a cluster-scoped object; one without finds no namespaced object, unless
        `namespace` says where. Raises `InvalidInput` for what is no name and no reference, and for a `namespace` that
        is not the reference's.
        """
        # The usual question, in the usual process: answered in less than twice the time that a dict takes.
        if freshness.forks and self._fresh.process != freshness.forks:
            self._fresh.check_process()
        table = self._table
        if namespace is not None:
            try:
                return table.spaces[namespace][ref]
            except (KeyError, TypeError):
                pass
        return _find(table, ref, namespace)

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
        return self._table.values()

    def keys(self) -> list[ObjectRef]:
        """References to all objects at this moment."""
        return [ref_of(obj) for obj in self.state()]

    def select(self, selector: str | Mapping[str, Any] | LabelSelector) -> list[T]:
        """The objects whose labels match: text as for kubectl's `-l`, labels, or a LabelSelector as in a manifest.

        >>> reader.select("app=web,!canary"), reader.select(deployment.spec.selector)        # doctest: +SKIP

        Raises `InvalidInput` for a bad selector.
        """
        objects, left = self._narrowed(LabelSelector.of(selector))
        for requirement in left:
            objects = [obj for obj in objects if requirement.matches(labels_of(obj))]
        return objects

    def index(self, name: str, value: Hashable) -> list[T]:
        """The objects that the index `name` holds under `value`.

        Besides those given to `store(indexes=…)` there are `namespace`, `owner` (a uid, or what has one: an object or
        a reference) and `label` (`"app=web"`). They are built when first asked for.
        Raises `InvalidInput` when there is no such index, and for an owner without a uid.
        """
        if name == "label" and name not in self._known:
            return self.select(str(value))
        indexer = self._known.get(name)
        if indexer is None:
            raise InvalidInput(
                f"there is no index {name!r} here, only {', '.join(map(str, [*self._known, 'label']))}; "
                f"declare it: store(indexes={{{name!r}: lambda obj: [...]}})"
            )
        if indexer is self._owner:
            value = _uid(value)
        found = self._indexed(indexer, value)
        return found if found is not None else [obj for obj in self.state() if indexer.matches(obj, value)]

    def __len__(self) -> int:
        if self._fresh.process != freshness.forks:
            self._fresh.check_process()
        return len(self._table)

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
    def freshness(self) -> str:
        """The store's state in words, for probes and people: `ready, heard 0.4 s ago`, `not ready, never heard`."""
        return str(self._fresh)

    @property
    def last_error(self) -> WatchError | None:
        """The newest error of the stream, also when it has recovered since."""
        return self._fresh.vitals.last_error if self._fresh.vitals is not None else None

    @property
    def resource_version(self) -> str | None:
        """The version up to which everything was seen; None before the first list."""
        return self._fresh.resource_version

    @property
    def dropped(self) -> int:
        """How many objects of the stream could not be read, or modified: the store holds an older state, or none."""
        return self._fresh.vitals.dropped if self._fresh.vitals is not None else 0

    @property
    def index_failures(self) -> dict[str, int]:
        """How often the functions of indexes failed, by the index's name; such objects are stored all the same."""
        return {str(name): indexer.failures for name, indexer in self._known.items() if indexer.failures}

    def allow_stale(self) -> None:
        """Allow reads in a forked child: of what the store held at the fork, for ever."""
        self._fresh.allow_stale()

    def __repr__(self) -> str:
        return f"<Store of {len(self._table)} objects, {self._fresh}>"

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
            return index.find(table, value)
        # The writer builds it with its next event, so that neither waits for the other.
        self._wanted[indexer.name] = indexer
        return None


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
    reader: Store[Any] = new_store(indexes)
    return reader, Writer(reader)


def new_store(indexes: Mapping[str, IndexFunction[Any]] | None) -> Store[Any]:
    """A store without a writer yet; raises `InvalidInput` for an index that is no function."""
    return Store(checked(indexes))


def checked(indexes: Mapping[str, IndexFunction[T]] | None) -> Mapping[str, IndexFunction[T]]:
    """The index functions; raises `InvalidInput` for what is none."""
    if not isinstance(indexes or {}, Mapping):
        raise InvalidInput(f"indexes are a mapping from a name to a function of an object, not {indexes!r}")
    for name, function in (indexes or {}).items():
        if not callable(function):
            raise InvalidInput(f"index {name!r} must be a function from an object to its values, not {function!r}")
    return indexes or {}


def _find(table: Table[T], ref: Any, namespace: str | None) -> T | None:
    if isinstance(ref, str):
        return table.get(("", _name(ref)))
    key = _key(ref)
    if namespace and namespace != key[0]:
        if key[0]:
            raise InvalidInput(f"{key[1]!r} is in {key[0]!r} by the reference, and in {namespace!r} by `namespace`")
        key = namespace, key[1]
    found = table.get(key)
    if found is None:
        found = table.get(("", key[1]))
    return found if found is not None and _is_kind(found, ref) else None


def _key(ref: Any) -> Key:
    if isinstance(ref, (ObjectRef, Object, PartialObjectMeta)):
        return ref.namespace or "", ref.name
    try:
        return key_of(ref)
    except AttributeError:
        raise InvalidInput(f"ask a store for a name, an ObjectRef or an object, not for {type(ref).__name__}") from None


def _uid(owner: Any) -> str:
    uid = owner if isinstance(owner, str) else getattr(getattr(owner, "metadata", owner), "uid", None)
    if not uid:
        raise InvalidInput(f"objects name their owners by uid, and this {type(owner).__name__} has none: ask for a uid")
    return str(uid)


def _name(text: str) -> str:
    if "/" in text:
        namespace, _, name = text.rpartition("/")
        raise InvalidInput(f"no name has a '/' in it: write get({name!r}, {namespace!r}) for {text!r}")
    return text


def _is_kind(obj: Any, ref: Any) -> bool:
    """Whether `obj` is of the kind that `ref` names, as far as both tell; versions of a group are all the same kind."""
    kind, wanted = getattr(obj, "kind", None), getattr(ref, "kind", None)
    if not kind or not wanted:
        return True
    if kind != wanted:
        return False
    ours, asked = _api_version(obj), _api_version(ref)
    return not ours or not asked or ours == asked or _group(ours) == _group(asked)


def _api_version(obj: Any) -> str | None:
    # A model of one's own may spell it as the JSON does.
    return getattr(obj, "api_version", None) or getattr(obj, "apiVersion", None)


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def ref_of(obj: Any) -> ObjectRef:
    """A reference to an object or a model."""
    if isinstance(ref := getattr(obj, "ref", None), ObjectRef):
        return ref
    meta = meta_of(obj)
    kind, api_version = getattr(obj, "kind", None), _api_version(obj)
    return ObjectRef(
        kind or type(obj).__name__,
        meta.name,
        meta.namespace,
        api_version or "v1",
        meta.resource_version or None,
        meta.uid or None,
    )
