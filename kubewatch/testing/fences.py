"""Fences: how to know that watches have handed on everything that a server holds, without waiting for a while.

Both tell how far the server is (`goal`), and whether every watch of a controller has got there (`reached`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kubewatch.api import Api
from kubewatch.config import Config
from kubewatch.errors import InvalidInput
from kubewatch.events import Apply, Event, Init, InitApply, InitDone
from kubewatch.objects import key_of, meta_of
from kubewatch.stop import Stop
from kubewatch.vitals import Vitals

if TYPE_CHECKING:
    from kubewatch.controller.builder import Controller
    from kubewatch.controller.runner import Runner

    from .handle import ApiServer


class Fence(Protocol):
    """What the driver asks. It is made before the controller starts; `follow` is called right after."""

    def follow(self, runner: Runner) -> None:
        """Look at the watches of a controller that has just started."""

    def goal(self) -> Any:
        """How far the server is; equal to what it was before only if nothing has changed since."""

    def reached(self, goal: Any) -> bool:
        """Whether every watch has handed on what the server held at `goal`."""

    def ask(self) -> None:
        """Have the server say more, if that helps."""

    def behind(self, goal: Any) -> list[str]:
        """The watches that have not reached `goal`, for people."""


class BookmarkFence:
    """For the embedded server: it is told to send bookmarks, and these come behind all that a watch was to tell.

    Exact: its versions count all changes of all kinds. https://kubernetes.io/docs/reference/using-api/api-concepts/
    """

    def __init__(self, server: ApiServer, patience: float) -> None:
        self._server = server
        self._patience = patience
        self._told: list[int] = []  # the version of the newest bookmark that each watch handed on
        self._watches: list[tuple[str, Vitals]] = []

    def follow(self, runner: Runner) -> None:
        self._watches = runner.watches()
        for label, vitals in self._watches:
            if type(vitals) is not Vitals:
                raise InvalidInput(
                    f"{label} is merged or shared, and cannot be driven, as nobody knows what waits in between: give "
                    "the controller a watch of its own"
                )
        self._told = [-1] * len(self._watches)
        for number, (_, vitals) in enumerate(self._watches):
            vitals.on_bookmark = self._noting(number, runner)

    def _noting(self, number: int, runner: Runner) -> Callable[[str], None]:
        def note(version: str) -> None:
            self._told[number] = int(version)
            runner.queue.wake_consumer()

        return note

    def goal(self) -> int:
        self._server.settle(self._patience)
        return self._server.resource_version

    def reached(self, goal: int) -> bool:
        return all(told >= goal for told in self._told)

    def ask(self) -> None:
        self._server.send_bookmarks()

    def behind(self, goal: int) -> list[str]:
        watches = zip(self._watches, self._told, strict=True)
        return [f"{label} ({vitals.last_error or 'no error'})" for (label, vitals), told in watches if told < goal]


Versions = dict[Any, str]  # of each object, by its key


class ListFence:
    """For a real server, which sends bookmarks when it likes: each watch is to have handed on what a list shows.

    What is made and gone again before its watch told of it may be missed; nothing else.
    """

    def __init__(self, controller: Controller[Any]) -> None:
        self._watched: list[tuple[Api[Any], Config, _Notes]] = []
        triggers = controller._plan.triggers
        for number, trigger in enumerate(triggers):
            if trigger.source is None or trigger.noted is None or not isinstance(trigger.source[0], Api):
                raise InvalidInput(
                    f"{trigger.label} is a stream; on a real server only watches can be driven that the controller "
                    "makes itself: Controller(api), owns(api), watches(api, mapper)"
                )
            notes = _Notes()
            triggers[number] = trigger.noted(notes)
            self._watched.append((trigger.source[0].metadata(), trigger.source[1], notes))

    def follow(self, runner: Runner) -> None:
        pass

    def goal(self) -> list[Versions]:
        return [
            {key_of(obj): obj.metadata.resource_version for obj in api.list(**_selectors(config))}
            for api, config, _ in self._watched
        ]

    def reached(self, goal: list[Versions]) -> bool:
        return not self.behind(goal)

    def ask(self) -> None:
        pass

    def behind(self, goal: list[Versions]) -> list[str]:
        watched = zip(self._watched, goal, strict=True)
        return [api.kind for (api, _, notes), there in watched if notes.versions != there or notes.in_flight]


def _selectors(config: Config) -> dict[str, Any]:
    return {"label_selector": config.label_selector, "field_selector": config.field_selector}


class _Notes:
    """A writer that keeps nothing of a stream but the versions of the objects that it told of."""

    def __init__(self) -> None:
        self.versions: Versions = {}
        self._listed: Versions = {}
        self._newest = 0  # the version of the newest live event
        self._vitals = Vitals()

    @property
    def in_flight(self) -> bool:
        """Whether the newest event is noted, and has yet to be handed on: a stream is synced after that."""
        return self._newest > int(self._vitals.resource_version or 0)

    def follow(self, vitals: Vitals, stop: Stop) -> None:
        self._vitals = vitals

    def begin(self) -> None:
        pass

    def apply(self, event: Event[Any]) -> Sequence[Any]:
        if isinstance(event, Init):
            self._listed = {}
        elif isinstance(event, InitApply):
            self._listed[key_of(event.object)] = meta_of(event.object).resource_version
        elif isinstance(event, InitDone):
            self.versions = self._listed
        else:
            version = meta_of(event.object).resource_version
            self._newest = int(version)
            versions = dict(self.versions)
            if isinstance(event, Apply):
                versions[key_of(event.object)] = version
            else:
                versions.pop(key_of(event.object), None)
            self.versions = versions  # as a whole, as another thread reads it
        return ()

    def close(self) -> None:
        pass
