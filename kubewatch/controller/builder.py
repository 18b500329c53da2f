"""`Controller`: what to reconcile, for what changes, and how; and the four ways to run it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar, cast, overload

from kubewatch.config import Config
from kubewatch.errors import InvalidInput
from kubewatch.ref import ObjectRef
from kubewatch.source import MetadataSource, Source, named
from kubewatch.store import Store, new_store
from kubewatch.streams.fluent import ObjectStream
from kubewatch.streams.stream import check_callable
from kubewatch.writer import Writer

from . import checks
from .action import Action
from .clock import Clock
from .plan import Plan
from .relations import Main, Mapper, Relation, everything, given, itself, mapped, owners
from .results import Result, RunnerError, Summary
from .running import RunningController, summary
from .telemetry import RunEvent, Stats
from .triggers import Trigger, watched

T = TypeVar("T")
M = TypeVar("M")
U = TypeVar("U")
C = TypeVar("C")

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
        self._plan = Plan(named(api), Main(reader, api))
        self._plan.add(watched(api, config, itself(self._plan.main), "applied_objects", Writer(reader)))

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
        controller._plan = Plan(stream.label or "objects", Main(reader))
        return controller._add_stream(stream, itself(controller._plan.main), stage)

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
        relation = owners(self._plan.main, controller_only=controller_only, check_uid=check_uid)
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
        relation = owners(self._plan.main, controller_only=controller_only, check_uid=check_uid)
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
        relation = owners(self._plan.main, controller_only=controller_only, check_uid=check_uid)
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
        return self._add(watched(api, config, mapped(self._plan.main, mapper), "touched_objects"))

    def watches_stream(
        self, stream: ObjectStream[U], mapper: Mapper[U], reader: Store[Any] | None = None
    ) -> Controller[T]:
        """Like `watches`, for a stream of one's own. With `reader`, nothing runs before that store is filled, too."""
        check_callable("watches_stream", mapper)
        return self._add_stream(stream, mapped(self._plan.main, mapper), "watches_stream", reader)

    def watches_shared_stream(
        self, subscription: ObjectStream[U], mapper: Mapper[U], reader: Store[Any] | None = None
    ) -> Controller[T]:
        """Like `watches`, for a subscription to a shared store."""
        check_callable("watches_shared_stream", mapper)
        return self._add_stream(subscription, mapped(self._plan.main, mapper), "watches_shared_stream", reader)

    def reconcile_on(self, refs: Iterable[ObjectRef]) -> Controller[T]:
        """Also reconcile each object that `refs` brings a reference to, when it brings it; one without object is told.

        `refs` is iterated on a thread of its own. If it blocks, make it an ObjectStream that can be stopped: of one
        that cannot, the thread is left behind at the end.
        """
        self._plan.add_iterable(refs, given(self._plan.main), "reconcile_on")
        return self

    def reconcile_all_on(self, ticks: Iterable[object]) -> Controller[T]:
        """Also reconcile all objects whenever `ticks` brings something, whatever it is; else as `reconcile_on`."""
        self._plan.add_iterable(ticks, everything(self._plan.main), "reconcile_all_on")
        return self

    def _add(self, trigger: Trigger) -> Controller[T]:
        self._plan.add(trigger)
        return self

    def _add_stream(
        self, stream: ObjectStream[Any], relation: Relation, stage: str, reader: Store[Any] | None = None
    ) -> Controller[T]:
        self._plan.add_stream(stream, relation, stage, reader)
        return self

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
        plan = self._plan
        plan.check_unused()
        if debounce is not None:
            plan.debounce = checks.checked_debounce(debounce)
        if concurrency is not None:
            plan.concurrency = checks.checked_concurrency(concurrency)
        if on_event is not None:
            check_callable("on_event", on_event)
            plan.on_event = on_event
        if clock is not None:
            plan.clock = clock
        return self

    def graceful_shutdown_on(self, event: threading.Event) -> Controller[T]:
        """End when `event` is set: nothing more is begun, what runs finishes. Several events, and signals, add up."""
        if not callable(getattr(event, "is_set", None)):
            raise TypeError(f"graceful_shutdown_on needs a threading.Event, not {checks.kind_of(event)}")
        self._plan.check_unused()
        self._plan.stop.follow(event)
        return self

    def shutdown_on_signal(self) -> Controller[T]:
        """End on SIGINT or SIGTERM: what runs finishes; on a second one it is not waited for.

        The handlers are there while the controller runs; the main thread must pull its results.
        """
        self._plan.check_unused()
        self._plan.on_signal = True
        return self

    def store(self) -> Store[T]:
        """The store of the main kind; filled while the controller runs."""
        return self._plan.main.reader

    @property
    def label(self) -> str:
        """What its objects are called in logs, probes and metrics: `Deployment in shop`."""
        return self._plan.label

    @property
    def stats(self) -> Stats:
        """The controller's numbers at this moment; from any thread."""
        return Stats() if self._plan.runner is None else self._plan.runner.stats()

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
        return self._plan.begin(reconcile, error_policy, context, executor)[1]

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
        for result in self._plan.begin(reconcile, error_policy, context, executor)[1]:
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
        if self._plan.on_signal:
            raise InvalidInput("start() runs beside the main thread, where no signals come: call its stop() instead")
        return RunningController(*self._plan.begin(reconcile, error_policy, context, executor))

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
        return summary(*self._plan.begin(reconcile, error_policy, context, executor, once=True), timeout)

    def __repr__(self) -> str:
        return f"<Controller of {self._plan.label}, {len(self._plan.triggers)} triggers>"
