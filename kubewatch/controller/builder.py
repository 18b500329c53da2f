"""`Controller`: what to reconcile, for what changes, and how; and the four ways to run it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar, cast, overload

from kubewatch.config import Config
from kubewatch.errors import InvalidInput, StreamUsed
from kubewatch.ref import ObjectRef
from kubewatch.source import MetadataSource, Source, named
from kubewatch.stop import Stop
from kubewatch.store import Store, new_store
from kubewatch.streams.fluent import EventStream, ObjectStream
from kubewatch.streams.stream import check_callable
from kubewatch.writer import Writer

from . import checks
from .action import Action
from .clock import Clock, SystemClock
from .executors import caller
from .queue import Queue
from .relations import Main, Mapper, Relation, everything, given, itself, mapped, owners
from .results import Result, RunnerError, Summary
from .runner import Runner
from .running import RunningController, summary
from .telemetry import RunEvent, Stats
from .triggers import Trigger, iterated, streamed, watched
from .worker import Worker

T = TypeVar("T")
M = TypeVar("M")
U = TypeVar("U")
C = TypeVar("C")

# Objects reconciled at the same time, where nobody says how many.
CONCURRENCY = 10

# Results that wait to be pulled, at most; then nothing more is begun.
ROOM = 100

_DEFAULT = Config()
_NEEDED: Any = None


class Controller(Generic[T]):
    """Reconciles objects of one kind whenever they, or objects related to them, change.

    >>> def reconcile(website, context):
    ...     return Action.requeue(300)                                               # seconds
    >>> controller = Controller(Api(Website)).owns(Api("apps/v1", "Deployment"))     # doctest: +SKIP
    >>> for result in controller.run(reconcile):                                     # doctest: +SKIP
    ...     print(result)

    `reconcile(obj, context)` gets the newest cached object and answers with an `Action`. It never runs twice at once
    for one object, and a change during a run causes exactly one more. Nothing runs before the stores are filled.

    Building makes no request and starts no thread; the methods return the controller itself. A controller runs once.
    It may be built before a fork and run after. Wrong streams are refused at once, with a TypeError.
    https://docs.rs/kube-runtime/latest/kube_runtime/controller/struct.Controller.html
    """

    def __init__(self, api: Source[T], config: Config = _DEFAULT) -> None:
        """A controller of the objects of `api`, with a watch and a store of its own."""
        checks.check_api(api, "Controller", "Controller.for_stream(stream, reader)")
        checks.check_config(config)
        reader: Store[T] = new_store(None)
        self._set_up(reader, named(api), Main(reader, api))
        self._triggers.append(watched(api, config, itself(self._main), "applied_objects", Writer(reader)))

    def _set_up(self, reader: Store[T], label: str, main: Main[T]) -> None:
        self._reader = reader
        self._label = label
        self._main = main
        self._readers: list[tuple[str, Store[Any]]] = [(label, reader)]
        self._triggers: list[Trigger] = []
        self._streams: list[Any] = []
        self._stop = Stop()
        self._on_signal = False
        self._concurrency = CONCURRENCY
        self._debounce = 0.0
        self._on_event: Callable[[RunEvent], object] | None = None
        self._clock: Clock = SystemClock()
        self._runner: Runner | None = None

    @classmethod
    def for_stream(cls, stream: ObjectStream[M], reader: Store[M] = _NEEDED) -> Controller[M]:
        """A controller of the objects that `stream` brings, which `reader` is the store of.

        >>> reader, writer = store()                                                     # doctest: +SKIP
        >>> stream = watcher(api).reflect(writer).default_backoff().applied_objects()    # doctest: +SKIP
        >>> Controller.for_stream(stream, reader)                                        # doctest: +SKIP
        """
        return cls._for(stream, reader, "for_stream")

    @classmethod
    def for_shared_stream(cls, subscription: ObjectStream[M], reader: Store[M] = _NEEDED) -> Controller[M]:
        """A controller of the objects of a shared store: `writer.subscribe(replay=True)`, and the store's reader.

        Somebody else iterates the stream that fills the store.
        """
        return cls._for(subscription, reader, "for_shared_stream")

    @classmethod
    def _for(cls, stream: ObjectStream[M], reader: Store[M], stage: str) -> Controller[M]:
        checks.check_stream(stream, stage)
        if not isinstance(reader, Store):
            raise TypeError(
                f"{stage} needs the stream and the store that it was reflected into, as in reader, writer = store(); "
                f"{stage}(watcher(api).reflect(writer).applied_objects(), reader); not {checks.kind_of(reader)}"
            )
        controller = cast("Controller[M]", object.__new__(cls))
        controller._set_up(reader, stream.label or "objects", Main(reader))
        controller._add_stream(stream, itself(controller._main), stage)
        return controller

    # What else triggers

    def owns(
        self, api: MetadataSource, config: Config = _DEFAULT, *, controller_only: bool = False, check_uid: bool = False
    ) -> Controller[T]:
        """Also reconcile the owners of objects of `api`, when these change. Only metadata is watched.

        An owner is who is named in `metadata.ownerReferences` and is of the main kind, in whatever version; with
        `controller_only` only if it is named as controller, with `check_uid` only if it is not another of that name.
        """
        checks.check_api(api, "owns", "owns_stream(stream)")
        checks.check_config(config)
        relation = owners(self._main, controller_only=controller_only, check_uid=check_uid)
        return self._add(watched(api.metadata(), config, relation, "touched_objects"))

    def owns_stream(
        self,
        stream: ObjectStream[Any],
        reader: Store[Any] | None = None,
        *,
        controller_only: bool = False,
        check_uid: bool = False,
    ) -> Controller[T]:
        """Like `owns`, for a stream of one's own. With `reader`, nothing runs before that store is filled, too."""
        relation = owners(self._main, controller_only=controller_only, check_uid=check_uid)
        return self._add_stream(stream, relation, "owns_stream", reader)

    def owns_shared_stream(
        self,
        subscription: ObjectStream[Any],
        reader: Store[Any] | None = None,
        *,
        controller_only: bool = False,
        check_uid: bool = False,
    ) -> Controller[T]:
        """Like `owns`, for a subscription to a shared store."""
        relation = owners(self._main, controller_only=controller_only, check_uid=check_uid)
        return self._add_stream(subscription, relation, "owns_shared_stream", reader)

    @overload
    def watches(self, api: Source[U], mapper: Mapper[U], /) -> Controller[T]: ...
    @overload
    def watches(self, api: Source[U], config: Config, mapper: Mapper[U]) -> Controller[T]: ...
    def watches(self, api: Any, config: Any = _DEFAULT, mapper: Any = None) -> Controller[T]:
        """Also reconcile what `mapper` makes of objects of `api`, when these change.

        `mapper(obj)` gives references, one reference, or None. It runs on the thread that reads the watch.
        `watches(api, mapper)` is short for one with the default `Config()`.
        """
        if mapper is None and not isinstance(config, Config):
            config, mapper = _DEFAULT, config
        checks.check_api(api, "watches", "watches_stream(stream, mapper)")
        checks.check_config(config)
        check_callable("watches", mapper)
        return self._add(watched(api, config, mapped(self._main, mapper), "touched_objects"))

    def watches_stream(
        self, stream: ObjectStream[U], mapper: Mapper[U], reader: Store[Any] | None = None
    ) -> Controller[T]:
        """Like `watches`, for a stream of one's own. With `reader`, nothing runs before that store is filled, too."""
        check_callable("watches_stream", mapper)
        return self._add_stream(stream, mapped(self._main, mapper), "watches_stream", reader)

    def watches_shared_stream(
        self, subscription: ObjectStream[U], mapper: Mapper[U], reader: Store[Any] | None = None
    ) -> Controller[T]:
        """Like `watches`, for a subscription to a shared store."""
        check_callable("watches_shared_stream", mapper)
        return self._add_stream(subscription, mapped(self._main, mapper), "watches_shared_stream", reader)

    def reconcile_on(self, refs: Iterable[ObjectRef]) -> Controller[T]:
        """Also reconcile each object that `refs` brings a reference to, when it brings it; one without object is told.

        `refs` is iterated on a thread of its own. If it blocks, make it an ObjectStream that can be stopped: of one
        that cannot, the thread is left behind at the end.
        """
        return self._add_iterable(refs, given(self._main), "reconcile_on")

    def reconcile_all_on(self, ticks: Iterable[object]) -> Controller[T]:
        """Also reconcile all objects whenever `ticks` brings something, whatever it is; else as `reconcile_on`."""
        return self._add_iterable(ticks, everything(self._main), "reconcile_all_on")

    def _add(self, trigger: Trigger) -> Controller[T]:
        self._check_unused()
        self._triggers.append(trigger)
        return self

    def _add_stream(
        self, stream: ObjectStream[Any], relation: Relation, stage: str, reader: Store[Any] | None = None
    ) -> Controller[T]:
        checks.check_stream(stream, stage)
        if reader is not None and not isinstance(reader, Store):
            raise TypeError(
                f"{stage}'s reader is the store that the stream is reflected to, not {checks.kind_of(reader)}"
            )
        self._check_new(stream, stage)
        self._add(streamed(stream, relation, stage))
        if reader is not None:
            self._readers.append((stream.label or stage, reader))
        return self

    def _add_iterable(self, items: Iterable[Any], relation: Relation, stage: str) -> Controller[T]:
        if isinstance(items, EventStream):
            checks.check_stream(items, stage)
        if not isinstance(items, Iterable) or isinstance(items, (str, bytes, Store)):
            raise TypeError(f"{stage} needs an iterable that brings something at times, not {checks.kind_of(items)}")
        self._check_new(items, stage)
        return self._add(iterated(items, relation, stage))

    def _check_new(self, items: Any, stage: str) -> None:
        self._check_unused()
        if any(items is other for other in self._streams):
            raise TypeError(f"{stage}: {items!r} is one of this controller's streams already; build another")
        self._streams.append(items)

    # How

    def with_config(
        self,
        *,
        debounce: float | None = None,
        concurrency: int | None = None,
        on_event: Callable[[RunEvent], object] | None = None,
        clock: Clock | None = None,
    ) -> Controller[T]:
        """Set what is given, and leave the rest.

        - `debounce`: seconds of quiet to wait for before an object that changed is reconciled; 0 for none. It never
          delays a requeue, and a busy object for ten times as long at most.
        - `concurrency`: objects reconciled at the same time; 10 by default. That many threads are started.
        - `on_event`: called with a `RunStarted` and a `RunEnded` for each run, on the thread that reconciles.
        - `clock`: for tests, a `kubewatch.testing.FakeClock`.
        """
        self._check_unused()
        if debounce is not None:
            self._debounce = checks.checked_debounce(debounce)
        if concurrency is not None:
            self._concurrency = checks.checked_concurrency(concurrency)
        if on_event is not None:
            check_callable("on_event", on_event)
            self._on_event = on_event
        if clock is not None:
            self._clock = clock
        return self

    def graceful_shutdown_on(self, event: threading.Event) -> Controller[T]:
        """End when `event` is set: nothing more is begun, what runs finishes. Several events, and signals, add up."""
        if not callable(getattr(event, "is_set", None)):
            raise TypeError(f"graceful_shutdown_on needs a threading.Event, not {checks.kind_of(event)}")
        self._check_unused()
        self._stop.follow(event)
        return self

    def shutdown_on_signal(self) -> Controller[T]:
        """End on SIGINT or SIGTERM: what runs finishes; on a second one it is not waited for.

        The handlers are there while the controller runs; the main thread must pull its results.
        """
        self._check_unused()
        self._on_signal = True
        return self

    def store(self) -> Store[T]:
        """The store of the main kind; filled while the controller runs."""
        return self._reader

    @property
    def label(self) -> str:
        """What its objects are called in logs, probes and metrics: `Deployment in shop`."""
        return self._label

    @property
    def stats(self) -> Stats:
        """The controller's numbers at this moment; from any thread."""
        return Stats() if self._runner is None else self._runner.stats()

    # Running

    def run(
        self,
        reconcile: Callable[[T, C], Action],
        error_policy: Callable[[T, Exception, C], Action] | None = None,
        context: C | None = None,
        *,
        executor: Executor | None = None,
    ) -> Generator[Result, None, None]:
        """What was reconciled and what went wrong, as it ends: a generator, which works while it is pulled.

        - `reconcile(obj, context)` returns an `Action`. What it raises goes to the error policy, and is yielded as
          `ReconcilerFailed`.
        - `error_policy(obj, error, context)` returns an `Action`; by default that of `retry()`.
        - `executor`: any `concurrent.futures.Executor`; `reconcile` is called there. By default on the controller's own
          threads, `concurrency` of them, as is the error policy in any case. It is the caller's to shut down. Of Dask,
          `client.get_executor(pure=False)`: what is pure is not run again for an object that it has seen.

        Nothing begins before the first pull. When nobody pulls, work stops at 100 unread results. Leaving the loop,
        `close()`, and dropping the generator end the controller: nothing more is begun, what runs is waited for, all
        threads are joined. It ends by itself when it is told to, after a `RunnerError`, and when all of its streams
        have ended and what they triggered has run.

        Raises InvalidInput and StreamUsed (when it ran already) at once; StaleAfterFork when it is pulled in another
        process than where it began.
        """
        return self._run(reconcile, error_policy, context, executor)

    def run_forever(
        self,
        reconcile: Callable[[T, C], Action],
        error_policy: Callable[[T, Exception, C], Action] | None = None,
        context: C | None = None,
        *,
        executor: Executor | None = None,
    ) -> None:
        """`run`, for who does not look at the results: errors are logged. Returns when the controller was told to end.

        Raises the RunnerError of a controller that cannot work, as when its store will never be filled.
        """
        for result in self._run(reconcile, error_policy, context, executor):
            if isinstance(result, RunnerError):
                raise result

    def start(
        self,
        reconcile: Callable[[T, C], Action],
        error_policy: Callable[[T, Exception, C], Action] | None = None,
        context: C | None = None,
        *,
        executor: Executor | None = None,
    ) -> RunningController:
        """`run_forever` on a thread of its own, for applications. Returns at once what stops and watches it."""
        if self._on_signal:
            raise InvalidInput("start() runs beside the main thread, where no signals come: call its stop() instead")
        results = self._run(reconcile, error_policy, context, executor)
        assert self._runner is not None
        return RunningController(self._runner, results)

    def run_once(
        self,
        reconcile: Callable[[T, C], Action],
        error_policy: Callable[[T, Exception, C], Action] | None = None,
        context: C | None = None,
        *,
        executor: Executor | None = None,
        timeout: float | None = None,
    ) -> Summary:
        """Reconcile every object that exists, once, and return; for cron jobs.

        >>> sys.exit(Controller(api).run_once(reconcile, timeout=600).exit_code)        # doctest: +SKIP

        Requeues are not waited for, failures are not retried. After `timeout` seconds it returns what was done until
        then; a run that does not end is left behind. It waits for a server that is down, and not for one that refuses
        the first list.
        """
        checks.check_timeout(timeout)
        results = self._run(reconcile, error_policy, context, executor, once=True)
        assert self._runner is not None
        return summary(self._runner, results, timeout)

    def _run(
        self,
        reconcile: Callable[[T, C], Action],
        error_policy: Callable[[T, Exception, C], Action] | None,
        context: C | None,
        executor: Executor | None,
        *,
        once: bool = False,
        pauses: bool = False,
    ) -> Generator[Result, None, None]:
        checks.check_function("reconcile", reconcile)
        if error_policy is not None:
            checks.check_function("error_policy", error_policy)
        call = caller(reconcile, executor)
        self._check_unused()
        queue = Queue(self._clock, self._debounce, max(ROOM, self._concurrency), self._stop.stop)
        worker = Worker(queue, self._main, call, error_policy, context, self._on_event)
        self._runner = Runner(
            self._label,
            self._main,
            self._readers,
            self._triggers,
            queue,
            worker,
            self._concurrency,
            self._stop,
            once=once,
            pauses=pauses,
            on_signal=self._on_signal,
        )
        return self._runner.results()

    def _check_unused(self) -> None:
        if self._runner is not None:
            raise StreamUsed("this controller runs, or has run; its streams are single-use: build a new one")

    def __repr__(self) -> str:
        return f"<Controller of {self._label}, {len(self._triggers)} triggers>"
