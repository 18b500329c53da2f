"""predicate_filter: objects in which nothing that matters has changed are left out."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch import predicates
from kubewatch.errors import FunctionFailed, InvalidInput, WatchError
from kubewatch.events import Apply, Delete, Event, Init, InitApply, InitDone
from kubewatch.objects import Object
from kubewatch.streams import EventStream, ObjectStream, predicate_filter
from tests.unit.streams.fakes import failed, pod

Objects = list[Object | WatchError]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_predicate_filtering_hides_equal_predicate_values() -> None:
    """Row 17: the same generation is hidden, an error between passes, a new generation is shown."""
    error = failed()
    objects: Objects = [pod(generation=1), pod(generation=1), error, pod(generation=1), pod(generation=2)]
    first, second, third = ObjectStream(objects).predicate_filter(predicates.generation).in_band()
    assert (first, second, third) == (objects[0], error, objects[4])


def test_predicate_filtering_should_handle_recreated_resources_with_same_generation() -> None:
    """Row 18: another uid is another object."""
    objects = [pod(uid="one", generation=1), pod(uid="one", generation=1), pod(uid="two", generation=1)]
    passed = ObjectStream(objects).predicate_filter(predicates.generation)
    assert [obj.uid for obj in passed] == ["one", "two"]


def test_predicate_cache_ttl_evicts_expired_entries() -> None:
    """Row 19: a repeat is hidden within the TTL, and shown when it is over."""
    clock = Clock()

    def sightings() -> Any:
        for now in (0.0, 0.0, 0.049, 0.1):
            clock.now = now
            yield pod(generation=1)

    passed = ObjectStream(sightings()).predicate_filter(predicates.generation, ttl=0.05, timer=clock)
    assert [clock.now for _ in passed] == [0.0, 0.1]


def test_predicate_filter_compiles_with_dynamic_resource() -> None:
    """Row 121: an object of a kind that nobody has a class for."""
    from kubewatch.decode import decode_object

    gadget = decode_object(b'{"apiVersion":"example.io/v1","kind":"Gadget","metadata":{"name":"g","generation":3}}')
    assert list(ObjectStream([gadget, gadget]).predicate_filter(predicates.generation)) == [gadget]


def test_every_sighting_renews_the_ttl() -> None:
    """Also one that is hidden: an object that shows up again and again is hidden for as long as it does."""
    clock = Clock()

    def sightings() -> Any:
        for now in (0.0, 50.0, 100.0, 150.0, 210.0):
            clock.now = now
            yield pod(generation=1)

    passed = ObjectStream(sightings()).predicate_filter(predicates.generation, ttl=60.0, timer=clock)
    assert [clock.now for _ in passed] == [0.0, 210.0]


def test_an_object_without_a_value_always_passes_and_is_not_remembered() -> None:
    objects = [pod(generation=1), pod(), pod(), pod(generation=1)]
    passed = ObjectStream(objects).predicate_filter(predicates.generation)
    assert [obj.metadata.generation for obj in passed] == [1, None, None]


def test_an_older_value_that_comes_back_passes() -> None:
    """Only the last one is remembered."""
    passed = ObjectStream([pod(generation=g) for g in (1, 2, 1)]).predicate_filter(predicates.generation)
    assert [obj.metadata.generation for obj in passed] == [1, 2, 1]


def test_objects_are_told_apart_by_name_and_namespace() -> None:
    objects = [pod(name, namespace=namespace, uid="", generation=1) for name in "ab" for namespace in ("x", "y", None)]
    assert len(list(ObjectStream(objects * 2).predicate_filter(predicates.generation))) == 6


def test_maxsize_forgets_the_least_recently_seen() -> None:
    names = ["a", "b", "a", "c", "a", "b"]
    objects = [pod(name, generation=1) for name in names]
    passed = ObjectStream(objects).predicate_filter(predicates.generation, maxsize=2)
    assert [obj.name for obj in passed] == ["a", "b", "c", "b"]


def test_expired_entries_are_purged() -> None:
    """Memory follows what is seen, not what was ever seen."""
    from kubewatch.streams import predicated

    clock, counted = Clock(), list[int]()

    def sightings() -> Any:
        for round_ in range(4):
            for number in range(100):
                clock.now = round_ * 100.0 + number * 0.01
                yield pod(f"{round_}-{number}", generation=1)

    purge = predicated._purge

    def counting_purge(cache: Any, expired: float) -> None:
        purge(cache, expired)
        counted.append(len(cache))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predicated, "_purge", counting_purge)
        list(ObjectStream(sightings()).predicate_filter(predicates.generation, ttl=60.0, timer=clock))
    assert counted == [0, 0, 0]


# Deletions


@pytest.mark.parametrize("steps", ["none", "modify", "map", "filter", "inspect", "default_backoff", "predicate_filter"])
def test_deleted_objects_always_pass(steps: str) -> None:
    """Improvement 16: a deletion is no repeat, though its generation is; whatever stages stand between."""
    stages: dict[str, Any] = {
        "none": lambda objects: objects,
        "modify": lambda objects: objects.modify(lambda draft: None),
        "map": lambda objects: objects.map(lambda obj: obj),
        "filter": lambda objects: objects.filter(bool),
        "inspect": lambda objects: objects.inspect(repr),
        "default_backoff": lambda objects: objects.default_backoff(),
        "predicate_filter": lambda objects: objects.predicate_filter(predicates.labels),
    }
    events: list[Event[Object]] = [Init(), InitApply(pod(generation=1)), InitDone(), Delete(pod(generation=1))]
    objects = stages[steps](EventStream(events).touched_objects())
    assert len(list(objects.predicate_filter(predicates.generation))) == 2


def test_a_deleted_object_is_forgotten() -> None:
    """Improvement 16: should it come back with the same uid, as with a broken clock, it is not taken for a repeat."""
    events: list[Event[Object]] = [Apply(pod(generation=1)), Delete(pod(generation=1)), Apply(pod(generation=1))]
    assert len(list(EventStream(events).touched_objects().predicate_filter(predicates.generation))) == 3


def test_a_relist_repeats_nothing() -> None:
    again: list[Event[Object]] = [
        Init(),
        InitApply(pod("a", generation=1)),
        InitApply(pod("b", generation=1)),
        InitDone(),
    ]
    passed = EventStream(again * 3).touched_objects().predicate_filter(predicates.generation)
    assert [obj.name for obj in passed] == ["a", "b"]


# Several predicates, and functions of the user's


def test_with_several_predicates_one_that_changed_is_enough() -> None:
    objects = [pod(generation=1), pod(generation=1, finalizers=["x"]), pod(generation=1, finalizers=["x"])]
    passed = ObjectStream(objects).predicate_filter(predicates.generation, predicates.finalizers)
    assert [obj.metadata.finalizers for obj in passed] == [(), ("x",)]


def test_any_function_of_an_object_is_a_predicate() -> None:
    names = ["a", "a", "b"]
    objects = [pod(uid="one", labels={"team": name}) for name in names]
    passed = ObjectStream(objects).predicate_filter(lambda obj: obj.labels.get("team"))
    assert [obj.labels["team"] for obj in passed] == ["a", "b"]


def test_a_predicate_that_raises_costs_the_one_object() -> None:
    """It is named, the exception is the error's cause, and the watch goes on."""

    def team(obj: Object) -> str:
        return obj.labels["team"]

    objects = ObjectStream([pod("a", labels={"team": "x"}), pod("b"), pod("c", labels={"team": "x"})])
    first, error, last = objects.predicate_filter(team).in_band()
    assert isinstance(error, FunctionFailed)
    assert str(error) == "predicate_filter(team) raised KeyError on Pod default/b"
    assert isinstance(error.__cause__, KeyError)
    assert [getattr(obj, "name", None) for obj in (first, last)] == ["a", "c"]


def test_a_deletion_passes_although_the_predicate_raises() -> None:
    events: list[Event[Object]] = [Delete(pod())]
    assert len(list(EventStream(events).touched_objects().predicate_filter(lambda obj: 1 // 0))) == 1


def test_models_dicts_and_absent_objects_pass_through_it() -> None:
    """`watch_object` gives None for an object that does not exist."""
    import msgspec

    from kubewatch.metadata import ObjectMeta

    class Web(msgspec.Struct):
        metadata: ObjectMeta

    model = Web(ObjectMeta(name="m", generation=1))
    plain = {"metadata": {"name": "d", "generation": 1}}
    objects: list[Any] = [model, model, None, None, plain, plain]
    assert list(ObjectStream(objects).predicate_filter(predicates.generation)) == [model, None, None, plain]


def test_what_has_no_metadata_cannot_be_told_apart() -> None:
    names = ObjectStream([pod()]).map(lambda obj: obj.name).predicate_filter(len)
    with pytest.raises(TypeError, match="by their metadata, and a str has none: put map after it"):
        next(names)


def test_the_function_takes_any_iterable() -> None:
    assert len(list(predicate_filter([pod(generation=1), pod(generation=1)], predicates.generation))) == 1


@pytest.mark.parametrize(
    ("arguments", "limits", "message"),
    [
        ((), {}, "at least one predicate"),
        (("generation",), {}, r"such as predicates\.generation, not 'generation'"),
        ((predicates.labels,), {"ttl": 0}, "ttl is a number of seconds"),
        ((predicates.labels,), {"ttl": math.nan}, "ttl is a number of seconds"),
        ((predicates.labels,), {"maxsize": 0}, "maxsize is a number of objects"),
        ((predicates.labels,), {"maxsize": 1.5}, "maxsize is a number of objects"),
    ],
)
def test_wrong_arguments_are_refused_and_the_stream_is_still_good(
    arguments: tuple[Any, ...], limits: dict[str, Any], message: str
) -> None:
    stream = ObjectStream([pod()])
    with pytest.raises(InvalidInput, match=message):
        stream.predicate_filter(*arguments, **limits)
    assert len(list(stream)) == 1


# Against a naive model


class Naive:
    """The rules, one after the other, over everything that was ever seen."""

    def __init__(self, ttl: float) -> None:
        self.ttl = ttl
        self.history: list[tuple[float, tuple[str, str], Any]] = []

    def passes(self, now: float, obj: Object, deleted: bool) -> bool:
        key = obj.name, obj.uid
        if deleted:
            self.history = [seen for seen in self.history if seen[1] != key]
            return True
        value = obj.metadata.generation
        if value is None:
            return True
        last = next((seen for seen in reversed(self.history) if seen[1] == key), None)
        self.history.append((now, key, value))
        return last is None or last[2] != value or now - last[0] >= self.ttl


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 5, 10, 11, 40]),  # seconds that pass before
        st.sampled_from("abc"),  # name
        st.sampled_from(["u1", "u2"]),  # uid
        st.sampled_from([None, 1, 2]),  # generation
        st.sampled_from([Apply, InitApply, Delete]),
    ),
    max_size=80,
)


@settings(deadline=None)  # a busy machine is no failure
@given(steps=STEPS, ttl=st.sampled_from([1.0, 10.0, 3600.0]))
def test_it_does_as_a_naive_model_does(steps: list[Any], ttl: float) -> None:
    clock, naive, expected = Clock(), Naive(ttl), list[int]()

    def events() -> Any:
        for number, (seconds, name, uid, generation, kind) in enumerate(steps):
            clock.now += seconds
            obj = pod(name, uid=uid, generation=generation, resourceVersion=str(number))
            if naive.passes(clock.now, obj, kind is Delete):
                expected.append(number)
            yield kind(obj)

    passed = (
        EventStream[Object](events()).touched_objects().predicate_filter(predicates.generation, ttl=ttl, timer=clock)
    )
    assert [int(obj.resource_version) for obj in passed] == expected
