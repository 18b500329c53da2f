"""Lists: which objects, at which version, on which page. Pure but for the storage it reads."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .kinds import Resource
from .routes import is_true
from .selectors import EVERYTHING, Selector, parse_fields, parse_labels
from .status import ApiError, bad_request, cause, expired, invalid, not_allowed, too_large_version
from .storage import Entry, Storage

Json = dict[str, Any]

_EXPIRED_TOKEN = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the "
    "continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing "
    "with the provided token results in an inconsistent list - objects that were created, modified, or deleted "
    "between the "
    "time the first chunk was returned and now may show up in the list."
)
_LATEST = -1  # the version of an "inconsistent" continue token


@dataclass(frozen=True)
class ListOptions:
    """The parameters of a list or a watch, checked."""

    labels: Selector = EVERYTHING
    fields: Selector = EVERYTHING
    limit: int = 0
    continue_: str = ""
    version: str = ""
    match: str = ""
    watch: bool = False
    bookmarks: bool = False
    timeout: int | None = None
    initial_events: bool | None = None
    text: Mapping[str, str] = field(default_factory=dict)

    @property
    def selective(self) -> bool:
        return bool(self.labels or self.fields)

    def selects(self, namespace: str) -> Callable[[Entry], bool]:
        """Whether an entry is in the scope and matches the selectors."""
        labels, fields = self.labels, self.fields

        def selected(entry: Entry) -> bool:
            if namespace and entry.namespace != namespace:
                return False
            return (not labels or labels.matches(entry.labels)) and (not fields or fields.matches(entry.fields))

        return selected


@dataclass(frozen=True)
class Page:
    """One page of a list, with what goes into the list's metadata."""

    entries: Sequence[Entry]
    metadata: Json


def read_options(
    query: Mapping[str, str], resource: Resource, *, watch: bool, initial_events_known: bool = True
) -> ListOptions:
    """Parses and checks the parameters; raises a 400 or 422 ``ApiError``."""
    options = ListOptions(
        labels=parse_labels(query.get("labelSelector", "")),
        fields=parse_fields(query.get("fieldSelector", ""), lambda label: _supported_field(resource, label)),
        limit=max(number(query, "limit") or 0, 0),
        continue_=query.get("continue", ""),
        version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        watch=watch,
        bookmarks=is_true(query.get("allowWatchBookmarks")),
        timeout=number(query, "timeoutSeconds"),
        initial_events=is_true(query["sendInitialEvents"]) if "sendInitialEvents" in query else None,
    )
    causes = _watch_causes(options, initial_events_known) if watch else _list_causes(options)
    if causes:
        raise invalid("meta.k8s.io", "ListOptions", "", causes)
    return options


def number(query: Mapping[str, str], name: str) -> int | None:
    """A parameter that is a number; None for none. Raises a 400 ``ApiError`` for anything else."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _supported_field(resource: Resource, label: str) -> str:
    if label in ("metadata.name", "metadata.namespace") or label in resource.fields:
        return label
    if resource.fields:
        raise bad_request(f"field label not supported: {label}")
    names = ", ".join(f'"{name}"' for name in ("metadata.name", "metadata.namespace", *resource.fields))
    raise bad_request(f'"{label}" is not a known field selector: only {names}')


def _list_causes(options: ListOptions) -> list[Json]:
    match, at, causes = options.match, "resourceVersionMatch", []
    if match:
        if not options.version:
            causes.append(not_allowed(at, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.continue_:
            causes.append(not_allowed(at, "resourceVersionMatch is forbidden when continue is provided"))
        if match not in ("Exact", "NotOlderThan"):
            causes.append(_unsupported(at, match, ("Exact", "NotOlderThan", "")))
        if match == "Exact" and options.version == "0":
            causes.append(not_allowed(at, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if options.initial_events is not None:
        causes.append(not_allowed("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(options: ListOptions, initial_events_known: bool) -> list[Json]:
    match, at, causes = options.match, "resourceVersionMatch", []
    if options.initial_events is not None:
        if match != "NotOlderThan":
            causes.append(not_allowed(at, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
        if not initial_events_known:
            why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            causes.append(not_allowed("sendInitialEvents", why))
    if match:
        if options.initial_events is None:
            why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            causes.append(not_allowed(at, why))
        if match != "NotOlderThan":
            causes.append(_unsupported(at, match, ("NotOlderThan",)))
    if options.continue_:
        causes.append(not_allowed(at, "resourceVersionMatch is forbidden when continue is provided"))
    return causes


def _unsupported(at: str, value: str, supported: Sequence[str]) -> Json:
    names = ", ".join(f'"{one}"' for one in supported)
    return cause("FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {names}', at)


def parse_version(text: str) -> int:
    """The number in a resourceVersion; 0 for none; a 500 ``ApiError`` (as the real server) if there is none in it."""
    if not text:
        return 0
    if not text.isdigit():
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(500, "", why)
    return int(text)


def list_page(storage: Storage, resource: Resource, namespace: str, options: ListOptions) -> Page:
    """The page that ``options`` ask for."""
    with storage.lock:
        start, version = "", storage.version
        if options.continue_:
            version, start = _resume(options, storage.version)
        else:
            version = _version_to_list(options, storage.version)
        collection = storage.collection(resource.stored_in, resource.fields)
        snapshot = collection.ordered()
        if version != storage.version:
            snapshot = _past(storage, resource, version, options, start)
        limit = 0 if options.version == "0" else options.limit
        entries, following, remaining = _select(snapshot, namespace, start, options, limit)
        metadata: Json = {"resourceVersion": str(version)}
        if following:
            metadata["continue"] = _encode_token(version, following)
            if not options.selective:
                metadata["remainingItemCount"] = remaining
            storage.keep(resource.stored_in, version, snapshot)
        return Page(entries, metadata)


def _version_to_list(options: ListOptions, current: int) -> int:
    """Exactly the version asked for where that is meant, else the latest, which is no older."""
    try:
        asked = parse_version(options.version)
    except ApiError as error:
        raise bad_request(f"invalid resource version: {error}") from error
    if asked > current:
        raise too_large_version(asked, current)
    exact = options.match == "Exact" or (not options.match and options.limit and asked)
    return asked if exact else current


def _resume(options: ListOptions, current: int) -> tuple[int, str]:
    version, start = _decode_token(options.continue_)
    if options.version and options.version != "0":
        raise bad_request("specifying resource version is not allowed when using continue")
    if version > current:
        raise too_large_version(version, current)
    return (current if version == _LATEST else version), start


def _past(
    storage: Storage, resource: Resource, version: int, options: ListOptions, start: str
) -> tuple[list[str], list[Entry]]:
    try:
        return storage.at(resource.stored_in, storage.collection(resource.stored_in), version)
    except ApiError:
        if options.continue_:
            raise expired(_EXPIRED_TOKEN, {"continue": _encode_token(_LATEST, start)}) from None
        raise expired(f"The resourceVersion for the provided list is too old: {version}") from None


def _select(
    snapshot: tuple[list[str], list[Entry]], namespace: str, start: str, options: ListOptions, limit: int
) -> tuple[list[Entry], str, int]:
    """The page's entries, the key at which the next one starts (empty: none does), and how many are left."""
    keys, entries = snapshot
    low = bisect_left(keys, max(start, f"{namespace}/" if namespace else ""))
    high = bisect_left(keys, f"{namespace}0") if namespace else len(keys)  # "0" follows "/"
    if not options.selective:
        end = min(low + limit, high) if limit else high
        return entries[low:end], (keys[end] if end < high else ""), high - end
    selects, chosen = options.selects(namespace), []
    for at in range(low, high):
        if selects(entries[at]):
            chosen.append(entries[at])
            if len(chosen) == limit and at + 1 < high:
                return chosen, keys[at + 1], high - at - 1
    return chosen, "", 0


def _encode_token(version: int, start: str) -> str:
    token = msgspec.json.encode({"v": "meta.k8s.io/v1", "rv": version, "start": start})
    return urlsafe_b64encode(token).decode().rstrip("=")


def _decode_token(text: str) -> tuple[int, str]:
    try:
        token = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        version, start = token["rv"], token["start"]
        if token["v"] != "meta.k8s.io/v1" or not isinstance(version, int) or not isinstance(start, str):
            raise ValueError(text)
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError):
        raise bad_request(f"invalid continue token: continue key is not valid: {text}") from None
    return version, start
