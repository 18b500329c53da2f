"""Predicates: what of an object is compared."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch import predicates
from kubewatch.errors import InvalidInput
from kubewatch.objects import Object
from tests.unit.streams.fakes import pod


def test_generation_and_resource_version_have_no_value_where_they_are_absent() -> None:
    assert predicates.generation(pod()) is None
    assert predicates.resource_version(pod()) is None
    assert predicates.generation(pod(generation=7)) == 7
    assert predicates.resource_version(pod(resourceVersion="7")) == "7"


@pytest.mark.parametrize("name", ["labels", "annotations", "finalizers"])
def test_labels_annotations_and_finalizers_always_have_a_value(name: str) -> None:
    """Missing is as good as empty."""
    predicate = getattr(predicates, name)
    empty: Any = [] if name == "finalizers" else {}
    assert predicate(pod()) is not None
    assert predicate(pod()) == predicate(pod(**{name: empty}))


def test_the_order_of_labels_does_not_matter_and_that_of_finalizers_does() -> None:
    assert predicates.labels(pod(labels={"a": "1", "b": "2"})) == predicates.labels(pod(labels={"b": "2", "a": "1"}))
    assert predicates.finalizers(pod(finalizers=["a", "b"])) != predicates.finalizers(pod(finalizers=["b", "a"]))


texts = st.text('ab:,"é', max_size=9)
mappings = st.dictionaries(texts, st.one_of(texts, st.sampled_from("ab").map(lambda end: "x" * 300 + end)), max_size=4)


@settings(deadline=None)  # a busy machine is no failure
@given(mappings, mappings)
def test_values_are_equal_exactly_where_the_annotations_are(one: dict[str, str], other: dict[str, str]) -> None:
    value = predicates.annotations
    assert (value(pod(annotations=one)) == value(pod(annotations=other))) == (one == other)


def test_large_annotations_are_kept_as_a_few_bytes() -> None:
    one, other = (pod(annotations={"config": "x" * 250_000 + end}) for end in "ab")
    value = predicates.annotations(one)
    assert sys.getsizeof(value) < 100
    assert value == predicates.annotations(pod(annotations={"config": "x" * 250_000 + "a"}))
    assert value != predicates.annotations(other)


def test_fallback_counts_only_where_the_first_has_no_value() -> None:
    either = predicates.generation.fallback(predicates.resource_version)
    assert either(pod(generation=7, resourceVersion="9")) == 7
    assert either(pod(resourceVersion="9")) == "9"
    assert either(pod()) is None


def test_combine_has_no_value_only_where_neither_has_one() -> None:
    both = predicates.generation.combine(predicates.resource_version)
    assert both(pod(generation=7, resourceVersion="9")) == (7, "9")
    assert both(pod(resourceVersion="9")) == (None, "9")
    assert both(pod()) is None


def test_a_function_can_be_lifted_and_joined() -> None:
    @predicates.predicate
    def node(obj: Object) -> str | None:
        value: str | None = obj.spec.nodeName
        return value

    assert node(pod()) is None
    assert node.fallback(lambda obj: obj.name)(pod("web")) == "web"
    assert predicates.predicate(node) is node
    assert repr(node.combine(predicates.labels).fallback(predicates.generation)) == (
        "<predicate node.combine(labels).fallback(generation)>"
    )


def test_what_is_no_function_is_no_predicate() -> None:
    number: Any = 5
    for make in (predicates.predicate, predicates.Predicate):
        with pytest.raises(InvalidInput, match="a predicate is a function of an object"):
            make(number)


@pytest.mark.parametrize("join", ["fallback", "combine"])
def test_what_is_no_function_cannot_be_joined(join: str) -> None:
    with pytest.raises(InvalidInput, match="a predicate is a function of an object"):
        getattr(predicates.generation, join)("labels")


def test_they_work_on_official_models_and_plain_dicts() -> None:
    from kubernetes.client import V1ObjectMeta, V1Pod

    meta = V1ObjectMeta(name="web", generation=3, resource_version="9", labels={"a": "1"}, finalizers=["f"])
    model = V1Pod(metadata=meta)
    plain = {"metadata": {"name": "web", "generation": 3, "resourceVersion": "9", "labels": {"a": "1"}}}
    both: list[Any] = [model, plain]
    for obj in both:
        assert predicates.generation(obj) == 3
        assert predicates.resource_version(obj) == "9"
        assert predicates.labels(obj) == predicates.labels(pod(labels={"a": "1"}))
        assert predicates.annotations(obj) == predicates.annotations(pod())
    assert predicates.finalizers(model) == ("f",)
