"""`Stream`: what event streams and object streams have in common. Iterating, stopping, single use, backoff.

A stage is a generator function in a module of its own. A stream hands the output of one stage to the next, stops all of
them, and raises at the end of the chain what travelled in band.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeVar, cast

from kubewatch import backoffs
from kubewatch.errors import InvalidInput, StreamUsed, WatchError
from kubewatch.stop import Stop
from kubewatch.vitals import Vitals

from . import order
from .inband import InBand, in_band
from .retried import Handler, Policy, retry

X = TypeVar("X")
S = TypeVar("S", bound="Stream[Any]")


class Stream(Iterator[X], Generic[X]):
    """An iterator over items, and a context manager that stops it; what both kinds of stream have in common.

    Single-use: a stage that is put on a stream takes it, and the new stream is the one to go on with.

    A `WatchError` that no stage consumed is raised by the pull that meets it. The stream lives on: the next pull goes
    on where it was. One thread at a time may pull; `stop` may be called from any.
    """

    __slots__ = ("__weakref__", "_items", "_label", "_next", "_stages", "_stop", "_vitals")

    _events: ClassVar[bool]

    def __init__(
        self,
        items: Iterable[X | WatchError],
        *,
        stop: Stop | None = None,
        vitals: Vitals | None = None,
        label: str = "",
    ) -> None:
        """A stream over any iterable of items and errors.

        `stop` and `vitals` are those of the source of the items, `label` says what they are ("pods in default").
        """
        stop = stop or Stop()
        if isinstance(items, Stream):
            raise TypeError(f"{items!r} is a stream already: put the stage on it as it is")
        if not isinstance(items, Iterable):
            raise TypeError(f"a stream is made of an iterable of items, not of a {type(items).__name__}")
        self._set(in_band(items, stop, events=self._events), stop, vitals or Vitals(), label, ())

    @classmethod
    def of(cls: type[S], items: InBand, stop: Stop, vitals: Vitals, label: str) -> S:
        """The stream of a generator that is in band already: it ends when `stop` says so, and yields a `WatchError`."""
        stream = cls.__new__(cls)
        stream._set(items, stop, vitals, label, ())
        return stream

    def _set(self, items: InBand, stop: Stop, vitals: Vitals, label: str, stages: tuple[str, ...]) -> None:
        self._items = items
        self._next = self._bare(items).__next__
        self._stop = stop
        self._vitals = vitals
        self._label = label
        self._stages = stages

    @staticmethod
    def _bare(items: InBand) -> InBand:
        """The items as they are handed out."""
        return items

    def _check_unused(self) -> None:
        if self._items is _GONE:
            self._next()  # raises StreamUsed

    def _take(self, stage: str) -> InBand:
        """The items, once: from now on they are `stage`'s."""
        self._check_unused()
        items = self._items
        self._items = _GONE
        self._next = partial(
            _used, f"{self!r} was taken by {stage}(…); a stream is single-use: go on with what that gave"
        )
        return items

    def _then(self, kind: type[S], stage: str, function: Callable[..., InBand], *args: Any, **kwargs: Any) -> S:
        """The stream that `stage` makes of this one: its items are those of `function`, called with ours."""
        items = function(self._take(stage), *args, **kwargs)
        stream = kind.__new__(kind)
        stream._set(items, self._stop, self._vitals, self._label, (*self._stages, stage))
        return stream

    # Iterating

    def __iter__(self: S) -> S:
        self._check_unused()
        return self

    def __next__(self) -> X:
        try:
            item: X | WatchError = self._next()
        except StopIteration:
            raise
        except ValueError as error:
            if str(error) != _EXECUTING:
                self._died_of(error)
                raise
            if self._stop.stopped:  # another thread closes the stream at this moment
                raise StopIteration from None
            raise StreamUsed(f"{self!r} is being pulled already; one thread at a time may pull") from None
        except BaseException as error:
            self._died_of(error)
            raise
        if isinstance(item, WatchError):
            raise _twin(item)
        return item

    def _died_of(self, error: BaseException) -> None:
        # What raised was a generator of the chain, and it is dead. An end without a word would look like a regular one.
        if self._items is not _GONE:
            self._items = _GONE
            what = type(error).__name__
            self._next = partial(_used, f"{self!r} ended when {what} was raised inside of it; build a new one")

    def in_band(self) -> Generator[X | WatchError, None, None]:
        """The items with the errors among them as values, never raised; takes the stream.

        Closing what it gives closes the connection.

        >>> from kubewatch.errors import WatchFailed
        >>> from kubewatch.streams import ObjectStream
        >>> [str(item) for item in ObjectStream(["a", WatchFailed("reset"), "b"]).in_band()]
        ['a', 'reset', 'b']
        """
        return self._bare(self._take("in_band"))

    # Stopping

    def stop(self) -> None:
        """End the stream, from any thread or signal handler; the pull under way ends within milliseconds.

        The stages before and after this one end with it.
        """
        self._stop.stop()

    def close(self) -> None:
        """`stop()`, and close the connection; dropping the stream does the same."""
        self._stop.stop()
        try:
            self._items.close()
        except ValueError as error:
            if str(error) != _EXECUTING:
                raise
            # Another thread is pulling. It sees the stop, and closes.

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def until(self: S, seconds: float) -> S:
        """This stream, which ends by itself `seconds` from now; the earliest of several ends counts.

        Raises InvalidInput for anything but a number >= 0.

        >>> from kubewatch.streams import ObjectStream
        >>> list(ObjectStream(["a", "b"]).until(seconds=0))
        []
        """
        if not isinstance(seconds, (int, float)) or not seconds >= 0:
            raise InvalidInput(f"until needs a number of seconds, 0 or more, not {seconds!r}")
        self._check_unused()
        self._stop.until(min(seconds, threading.TIMEOUT_MAX))
        return self

    def take_until(self: S, event: threading.Event) -> S:
        """This stream, which ends by itself once `event` is set, within 100 ms.

        >>> from kubewatch.streams import ObjectStream
        >>> done = threading.Event()
        >>> for name in ObjectStream(["a", "b"]).take_until(done):
        ...     print(name)
        ...     done.set()
        a
        """
        if not callable(getattr(event, "is_set", None)):
            raise InvalidInput(f"take_until needs a threading.Event, not {event!r}")
        self._check_unused()
        self._stop.follow(event)
        return self

    # Stages of both kinds of stream

    def default_backoff(self: S) -> S:
        """Consume errors: log each, then wait 0.8 s to 30 s before the next pull, longer each time, with jitter.

        What ends a row of errors: a completed list, a live change, or 120 s without an error. A server's Retry-After
        is waited for. Works wherever it is put. `stop()` ends the wait.
        https://docs.rs/kube-runtime/latest/kube_runtime/watcher/struct.DefaultBackoff.html
        """
        policy = Policy(backoffs.default, jitter=backoffs.stretched)
        return self._back_off("default_backoff", policy)

    def backoff(
        self: S,
        wait_gen: backoffs.WaitGenerator = backoffs.default,
        *,
        max_tries: int | Callable[[], int | None] | None = None,
        max_time: float | Callable[[], float | None] | None = None,
        giveup: Callable[[WatchError], bool] | None = None,
        on_backoff: Handler | Iterable[Handler] | None = None,
        on_giveup: Handler | Iterable[Handler] | None = None,
        jitter: Callable[[float], float] | None = backoffs.full_jitter,
        **wait_gen_args: Any,
    ) -> S:
        """Consume errors: log each, then wait as the `backoff` library's wait generators say.

        - `wait_gen`: `backoff.expo`, `backoff.fibo`, `backoff.constant`, `backoff.runtime` or your own, called with
          `wait_gen_args`; it yields seconds. When it ends, we give up.
        - `max_tries`: give up at this many errors in a row; `max_time`: give up this many seconds after the first of
          them. Either may be a function, asked when a row of errors begins.
        - `giveup(error)`: true gives up at once (`lambda e: e.code == 403`).
        - `on_backoff`, `on_giveup`: called on the pulling thread with a dict: `target`, `args`, `kwargs`, `tries`,
          `elapsed` (seconds), `exception`, `wait` (seconds; on_backoff only), and `label`, the stream's. What a
          handler or `giveup` raises ends the stream.
        - `jitter`: seconds to seconds; None for none.

        What ends a row of errors: a completed list or a live change; on objects without a watcher behind them, any.
        Giving up raises the error as the last item. A server's Retry-After is a lower bound of the wait.
        https://github.com/litl/backoff#readme

        >>> import backoff
        >>> from kubewatch.errors import WatchFailed
        >>> from kubewatch.streams import ObjectStream
        >>> tries = [WatchFailed("reset"), "a", WatchFailed("reset"), "b"]
        >>> list(ObjectStream(tries).backoff(backoff.constant, interval=0.001))
        ['a', 'b']
        """
        for name, value in (("wait_gen", wait_gen), ("giveup", giveup), ("jitter", jitter)):
            if value is not None or name == "wait_gen":
                check_callable(f"backoff's {name}", value)
        if not (max_tries is None or callable(max_tries) or (isinstance(max_tries, int) and max_tries >= 1)):
            raise InvalidInput(f"max_tries is 1 or more, or None for no limit, not {max_tries!r}")
        if not (max_time is None or callable(max_time) or (isinstance(max_time, (int, float)) and max_time >= 0)):
            raise InvalidInput(f"max_time is a number of seconds, or None for no limit, not {max_time!r}")
        policy = Policy(
            wait_gen, wait_gen_args, max_tries, max_time, giveup, _handlers(on_backoff), _handlers(on_giveup), jitter
        )
        policy.waits()  # refuses wrong arguments while the chain is built
        return self._back_off("backoff", policy)

    def _back_off(self: S, stage: str, policy: Policy) -> S:
        return self._then(type(self), stage, retry, policy, self._stop, self._vitals.clock, self._label or "stream")

    # Looking

    @property
    def vitals(self) -> Vitals:
        """The health of the watch that this stream comes from."""
        return self._vitals

    @property
    def stopper(self) -> Stop:
        """What `stop()` stops; shared by all stages of the chain."""
        return self._stop

    @property
    def label(self) -> str:
        """What is streamed, for logs: "pods in default"."""
        return self._label

    def __repr__(self) -> str:
        of = f" of {self._label}" if self._label else ""
        stages = f": {', '.join(self._stages)}" if self._stages else ""
        return f"<{type(self).__name__}{of}{stages}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            # For the reader of a wrong chain. Type checkers do not see it, and reject the chain by themselves.
            if not name.startswith("_") and name in (order.OBJECTS_ONLY if self._events else order.EVENTS_ONLY):
                raise (order.needs_objects if self._events else order.needs_events)(name)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


_GONE: InBand = (_ for _ in cast("tuple[Any, ...]", ()))
_EXECUTING = "generator already executing"


def _used(message: str) -> NoReturn:
    raise StreamUsed(message)


def _twin(error: WatchError) -> WatchError:
    # A raised exception collects the frames it passes. The one in band is kept (`Vitals.last_error`), and must not keep
    # them: with a stream among their locals, no stream would be closed by dropping it.
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin


def check_callable(who: str, function: object) -> None:
    if not callable(function):
        raise InvalidInput(f"{who} needs a function, not {function!r}")


def _handlers(handlers: Handler | Iterable[Handler] | None) -> tuple[Handler, ...]:
    if handlers is None:
        return ()
    found = tuple(handlers) if isinstance(handlers, Iterable) else (handlers,)
    for handler in found:
        check_callable("a backoff handler", handler)
    return found
