"""What a controller refuses to be built of; each raises a TypeError, or InvalidInput, that says what to do."""

from __future__ import annotations

import inspect
from typing import Any

from kubewatch.config import Config
from kubewatch.errors import InvalidInput
from kubewatch.streams.fluent import EventStream, ObjectStream, Stream
from kubewatch.streams.stream import check_callable


def check_api(api: Any, stage: str, for_streams: str) -> None:
    """Refuse what is no Api; `for_streams` says what to call with a stream."""
    if isinstance(api, Stream):
        raise TypeError(f"{stage} needs an Api, as it makes a watch of its own; for a stream: {for_streams}")
    if not all(hasattr(api, name) for name in ("open", "decode", "kind")):
        raise TypeError(f"{stage} needs an Api, such as Api('apps/v1', 'Deployment'), not {kind_of(api)}")


def check_config(config: Any) -> None:
    """Refuse what is no Config."""
    if not isinstance(config, Config):
        raise TypeError(
            f"what to watch of an Api is said by a Config, as in Config(label_selector='app=web'), not by "
            f"{kind_of(config)}"
        )


def check_stream(stream: Any, stage: str) -> None:
    """Refuse what is no stream of objects."""
    if isinstance(stream, EventStream):
        raise TypeError(
            f"{stage} needs objects, and this is a stream of events: decode it first, as in "
            "watcher(api).default_backoff().applied_objects(), or .touched_objects()"
        )
    if not isinstance(stream, ObjectStream):
        raise TypeError(
            f"{stage} needs a stream of objects, as in watcher(api).default_backoff().applied_objects(), "
            f"not {kind_of(stream)}; what is iterable can be made one: ObjectStream(iterable)"
        )


def check_function(who: str, function: Any) -> None:
    """Refuse what is no plain function."""
    check_callable(who, function)
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(f"{who} is called on a thread, and returns an Action: def {who}(...), without async and yield")


def checked_debounce(seconds: Any) -> float:
    """Refuse what is no finite number of seconds."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < float("inf"):
        raise InvalidInput(f"debounce is a number of seconds, 0 or more, not {seconds!r}")
    return float(seconds)


def checked_concurrency(objects: Any) -> int:
    """Refuse what is no number of objects to reconcile at the same time."""
    if isinstance(objects, bool) or not isinstance(objects, int) or objects < 1:
        raise InvalidInput(f"concurrency is a number of objects, 1 or more, not {objects!r}")
    return objects


def check_timeout(seconds: Any) -> None:
    """Refuse what is neither a number of seconds nor None."""
    if seconds is not None and (not isinstance(seconds, (int, float)) or not seconds >= 0):
        raise InvalidInput(f"timeout is a number of seconds, or None for no limit, not {seconds!r}")


def kind_of(value: Any) -> str:
    """What `value` is, for messages."""
    return "None" if value is None else f"a {type(value).__name__}"
