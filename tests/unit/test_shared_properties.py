"""Whatever the root does, and whoever reads when, a subscriber gets what the simplest possible queue would give it."""

from __future__ import annotations

from typing import Any
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kubewatch import fanout, shared
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.shared import store_shared
from kubewatch.streams import ObjectStream

from .subscribed import reborn

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
ROOT = 0  # the thread of the root; those of subscribers are 1, 2, …
BUFFER = 2


class Reader:
    """A subscriber, and the plain list of what it has yet to read: names, with the deletion to be told of, if any."""

    def __init__(self, stream: ObjectStream[Object], subscription: Any, thread: int, deletes: bool) -> None:
        self.items: Any = stream._take("test")  # with deletions as events
        self.stream = stream
        self.subscription = subscription
        self.thread = thread
        self.deletes = deletes
        self.unread: list[list[Any]] = []
        self.replayed: set[str] = set()  # of the unread
        self.taken: list[Object | Delete[Object]] = []  # of what was taken together, what is left

    def has(self, name: str) -> bool:
        return any(name == one for one, _ in self.unread)

    def is_full(self) -> bool:
        return self.thread != ROOT and len(self.unread) - len(self.replayed) >= BUFFER

    def forget(self, name: str) -> None:
        self.unread = [one for one in self.unread if one[0] != name]
        self.replayed.discard(name)


News = tuple[str, Delete[Object] | None, list[Reader]]


class SharedMachine(RuleBasedStateMachine):
    """One thread plays them all: where the writer would wait, the subscribers whom it waits for get to read."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = [mock.patch.object(module, "get_ident", self.whose_turn) for module in (fanout, shared)]
        for patch in self.patches:
            patch.start()
        self.begin()

    def begin(self) -> None:
        self.thread = ROOT
        self.store, self.writer = store_shared(BUFFER)
        fanout: Any = self.writer._fanout
        fanout.room.wait = self.writer_waits  # here, and before it queues, others have their turn
        self.push, fanout.push = fanout.push, self.before_queueing
        self.early: Reader | None = None  # who reads after an object was stored, before its name is queued
        self.readers: list[Reader] = []
        self.held: dict[str, Object] = {}
        self.news: list[News] = []  # what the writer has yet to queue, for whom
        self.version = 0
        self.readers_made = 0
        self.choice = 0

    def teardown(self) -> None:
        for patch in self.patches:
            patch.stop()

    def whose_turn(self) -> int:
        return self.thread

    # The model

    def tell(self, name: str, deletion: Delete[Object] | None = None) -> News:
        """Note news where its name is unread already; the others are owed it."""
        owed = []
        for reader in self.readers:
            if deletion is not None and not reader.deletes:
                if name not in self.held:
                    reader.forget(name)
                continue
            for unread in reader.unread:
                if unread[0] == name:
                    unread[1] = unread[1] or deletion
                    break
            else:
                owed.append(reader)
        return name, deletion, owed

    def queue_what_has_room(self) -> list[Reader]:
        """Queue news until somebody has no room; returns who."""
        while self.news:
            name, deletion, owed = self.news[0]
            owed = [reader for reader in owed if reader in self.readers and not reader.has(name)]
            full = [reader for reader in owed if reader.is_full()]
            if full:
                return full
            for reader in owed:
                reader.unread.append([name, deletion])
            del self.news[0]
        return []

    # The writer

    def write(self, event: Event[Object], news: list[News], choice: int) -> None:
        self.news, self.choice, self.thread = news, choice, ROOT
        self.writer.apply(event)
        assert self.queue_what_has_room() == []

    def writer_waits(self, seconds: float) -> None:
        """It waits exactly when it should; whom it waits for read, or go."""
        full = self.queue_what_has_room()
        assert full, "nobody is to be waited for"
        self.choice, choice = divmod(self.choice, 2 * len(full))
        reader = full[choice % len(full)]
        if choice < len(full):
            self.read_from(reader)
        else:
            self.leave(reader)
        self.compare()
        self.thread = ROOT

    def before_queueing(self, *args: Any) -> None:
        if self.early is not None:
            self.read_from(self.early)
        self.thread, self.early = ROOT, None
        self.push(*args)

    @rule(name=NAMES, choice=st.integers(0, 1000), early=st.none() | st.integers(0, 3))
    def apply(self, name: str, choice: int, early: int | None) -> None:
        self.early = self.readers[early] if early is not None and early < len(self.readers) else None
        self.version += 1
        uid = self.held[name].uid if name in self.held else str(self.version)
        self.held[name] = reborn(name, uid, self.version)
        self.write(Apply(self.held[name]), [self.tell(name)], choice)

    @rule(name=NAMES, choice=st.integers(0, 1000))
    def delete(self, name: str, choice: int) -> None:
        self.version += 1
        uid = self.held.pop(name).uid if name in self.held else str(self.version)
        deletion = Delete(reborn(name, uid, self.version))
        self.write(deletion, [self.tell(name, deletion)], choice)

    @rule(same=st.sets(NAMES), new=st.sets(NAMES), choice=st.integers(0, 10**9))
    def relist(self, same: set[str], new: set[str], choice: int) -> None:
        """Of what was there, some is found the `same`, some `new` under its name; the rest is gone."""
        before, self.held = self.held, {}
        for name in [*sorted(same & before.keys()), *sorted(new)]:
            self.version += 1
            uid = str(self.version) if name in new else before[name].uid
            self.held[name] = reborn(name, uid, self.version)
        self.writer.apply(Init())
        for obj in self.held.values():
            self.writer.apply(InitApply(obj))
        news = [
            self.tell(name, Delete(obj))
            for name, obj in before.items()
            if name not in self.held or self.held[name].uid != obj.uid
        ]
        news += [(name, None, list(self.readers)) for name in self.held]
        self.write(InitDone(), news, choice)

    # The subscribers

    @precondition(lambda self: len(self.readers) < 4)
    @rule(replay=st.booleans(), deletes=st.booleans(), roots_own=st.booleans())
    def subscribe(self, replay: bool, deletes: bool, roots_own: bool) -> None:
        self.readers_made += 1
        self.thread = ROOT if roots_own else self.readers_made
        stream = self.writer.subscribe(replay, deletes)
        reader = Reader(stream, self.writer.subscriptions[-1], self.thread, deletes)
        if replay:
            reader.unread = [[name, None] for name in self.held]
            reader.replayed = set(self.held)
        self.readers.append(reader)

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        self.read_from(data.draw(st.sampled_from(self.readers)))

    def read_from(self, reader: Reader) -> None:
        """One object, or what vanished and stands before it; never what would have to be waited for."""
        self.thread = reader.thread
        while not reader.taken and reader.unread:
            name, deletion = reader.unread.pop(0)
            reader.replayed.discard(name)
            reader.taken = [item for item in (deletion, self.held.get(name)) if item is not None]
            if not reader.taken and not any(self.gives(*unread) for unread in reader.unread):
                assert reader.subscription._take() == ()  # to pull the stream would be to wait
        if reader.taken:
            expected, found = reader.taken.pop(0), next(reader.items)
            assert type(found) is type(expected)
            assert found == expected

    def gives(self, name: str, deletion: Delete[Object] | None) -> bool:
        return deletion is not None or name in self.held

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), how=st.sampled_from(["stop", "close", "drop"]))
    def unsubscribe(self, data: st.DataObject, how: str) -> None:
        self.leave(data.draw(st.sampled_from(self.readers)), how)

    def leave(self, reader: Reader, how: str = "stop") -> None:
        self.readers.remove(reader)
        if how == "stop":
            reader.stream.stop()
        elif how == "close":
            reader.items.close()
        else:
            del reader.items

    @rule()
    def the_root_ends(self) -> None:
        """All that is unread comes, then the end; from then on there is another store."""
        self.writer.close()
        for reader in self.readers:
            rest = list(reader.taken)
            for name, deletion in reader.unread:
                rest += [item for item in (deletion, self.held.get(name)) if item is not None]
            assert list(reader.items) == rest
        self.begin()

    @invariant()
    def compare(self) -> None:
        for reader in self.readers:
            unread = [name for _, name in reader.subscription._unread]
            assert unread == [name for name, _ in reader.unread]
            assert reader.subscription.pending == len(unread) == len(set(unread))
        assert {obj.name: obj for obj in self.store} == self.held


TestShared = SharedMachine.TestCase
TestShared.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
