"""`retry`: the error policy that a controller has by default: each object waits longer after each of its failures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubewatch import backoffs
from kubewatch.backoffs import WaitGenerator, Waits, primed
from kubewatch.errors import InvalidInput
from kubewatch.objects import key_of
from kubewatch.streams.retried import MAX_RETRY_AFTER

from .action import Action

if TYPE_CHECKING:
    from cachetools import LRUCache


class Retry:
    """An error policy that remembers how often each object has failed; what `retry` makes. Safe in any thread."""

    def __init__(
        self, wait_gen: WaitGenerator, arguments: dict[str, Any], jitter: Callable[[float], float] | None, objects: int
    ) -> None:
        from cachetools import LRUCache  # slow to import

        self._wait_gen = wait_gen
        self._arguments = arguments
        self._jitter = jitter
        # Guards `_waits` and the generators in it.
        self._lock = threading.Lock()
        self._waits: LRUCache[Any, Waits] = LRUCache(objects)

    def __call__(self, obj: Any, error: BaseException, context: Any = None) -> Action:
        """When to reconcile `obj` again, after it failed once more."""
        key = key_of(obj)
        with self._lock:
            waits = self._waits.get(key)
            if waits is None:
                waits = self._waits[key] = primed(self._wait_gen, **self._arguments)
            try:
                seconds: float = waits.send(error)
            except StopIteration:
                return Action.await_change()
        if self._jitter is not None:
            seconds = self._jitter(seconds)
        asked = getattr(error, "retry_after", None)
        if isinstance(asked, (int, float)) and 0 <= asked <= MAX_RETRY_AFTER:
            seconds = max(seconds, asked)
        return Action.requeue(seconds)

    def succeeded(self, obj: Any) -> None:
        """Begin anew for `obj`. The controller calls this after each run that did not fail."""
        if self._waits:
            with self._lock:
                self._waits.pop(key_of(obj), None)


def retry(
    wait_gen: WaitGenerator | None = None,
    *,
    jitter: Callable[[float], float] | None = backoffs.full_jitter,
    objects: int = 100_000,
    **wait_gen_args: Any,
) -> Retry:
    """An error policy: exponential backoff for each object, from the beginning again once it was reconciled.

    >>> policy = retry(jitter=None)
    >>> from kubewatch.decode import decode_object
    >>> web = decode_object(b'{"metadata": {"name": "web"}}', "v1", "Pod")
    >>> [policy(web, OSError()).requeue_after for _ in range(4)]          # seconds
    [1.0, 2.0, 4.0, 8.0]

    Without `wait_gen` 1 s to 300 s, doubling, of which the jitter takes a random part. `wait_gen`, its arguments and
    `jitter` (seconds to seconds, None for none) are those of the `backoff` library: `retry(backoff.fibo,
    max_value=60)`; where a wait generator ends, the object waits for a change. An error with `retry_after` (a server's
    answer) is waited for. At most `objects` objects are remembered.

    Any object with `succeeded(obj)` beside its `__call__(obj, error, context)` is told of successes as this one is.
    Raises InvalidInput. https://github.com/litl/backoff#readme
    """
    if wait_gen is None:
        wait_gen, wait_gen_args = backoffs.exponential, {"minimum": 1.0, "maximum": 300.0, **wait_gen_args}
    if not callable(wait_gen):
        raise InvalidInput(f"retry needs a wait generator, such as backoff.expo, not {wait_gen!r}")
    if not isinstance(objects, int) or objects < 1:
        raise InvalidInput(f"objects is how many to remember, 1 or more, not {objects!r}")
    primed(wait_gen, **wait_gen_args).close()  # refuses wrong arguments
    return Retry(wait_gen, wait_gen_args, jitter, objects)
