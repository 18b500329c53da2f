"""`predicate_filter`: leave out objects in which nothing that matters has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from contextlib import closing
from typing import Any

import msgspec

from kubewatch.errors import WatchError
from kubewatch.events import Apply, Delete, InitApply, InitDone
from kubewatch.metadata import ObjectMeta
from kubewatch.objects import Object, meta_of
from kubewatch.predicates import Predicate

from .inband import InBand, function_failed

_Key = tuple[str, str | None, str]


class _Sighting(msgspec.Struct, gc=False):
    value: Any
    at: float


def predicate_filter(
    objects: InBand,
    predicate: Predicate[Any],
    *,
    ttl: float = 3600.0,
    maxsize: int | None = None,
    timer: Callable[[], float] = time.monotonic,
) -> InBand:
    """The objects whose `predicate` differs from what it was at the last sighting, deleted objects, and all errors.

    An object without a value (None) passes. So does one that was not sighted for `ttl` seconds, or is not among the
    `maxsize` objects that were sighted last. Objects are told apart by name, namespace and uid: what was deleted and
    made again is another object. Where `predicate` raises, the error takes the object's place.
    """
    # Where all are remembered, their order does not matter, and to keep it took half of the time.
    sightings: MutableMapping[_Key, _Sighting] = {}
    if maxsize is not None:
        from cachetools import LRUCache  # slow to import, and rarely needed

        sightings = LRUCache(maxsize)
    purge_at = timer() + ttl
    value_of = predicate.function
    with closing(objects):
        for item in objects:
            kind = type(item)
            if kind is Apply or kind is InitApply:
                obj = item.object
            elif kind is Delete:
                meta = _meta_of(item.object)
                sightings.pop((meta.name, meta.namespace, meta.uid), None)
                yield item
                continue
            elif item is None or kind is InitDone or isinstance(item, WatchError):
                yield item
                continue
            else:
                obj = item
            try:
                value = value_of(obj)
            except Exception as error:
                yield function_failed("predicate_filter", predicate, obj, error)
                continue
            if value is None:
                yield item
                continue
            meta = obj.metadata if type(obj) is Object else _meta_of(obj)  # the usual kind is quicker to ask
            key = meta.name, meta.namespace, meta.uid
            now = timer()
            if now >= purge_at and maxsize is None:  # else it is bounded anyway
                _purge(sightings, now - ttl)
                purge_at = now + ttl
            try:
                sighting = sightings[key]
            except KeyError:
                sightings[key] = _Sighting(value, now)
                yield item
                continue
            seen_at, sighting.at = sighting.at, now
            if sighting.value != value:
                sighting.value = value
                yield item
            elif now - seen_at >= ttl:
                yield item


def _meta_of(obj: Any) -> ObjectMeta:
    try:
        return meta_of(obj)
    except (AttributeError, KeyError) as error:
        raise TypeError(
            f"predicate_filter tells objects apart by their metadata, and a {type(obj).__name__} has none: "
            "put map after it"
        ) from error


def _purge(sightings: MutableMapping[_Key, _Sighting], expired: float) -> None:
    for key in [key for key, sighting in sightings.items() if sighting.at <= expired]:
        del sightings[key]
