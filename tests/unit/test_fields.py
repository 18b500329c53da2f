"""Lazy JSON: views on levels that compare and copy by value, and say when bytes cannot be read."""

from __future__ import annotations

import copy
import pickle
from types import MappingProxyType
from typing import Any

import pytest

from kubewatch.errors import KubewatchError, Unreadable
from kubewatch.fields import Fields, Items, MutableFields, open_level, plain


def fields(text: bytes) -> Fields:
    return Fields(open_level(text))


SPEC = b'{"a": {"b": [1, {"c": null}]}}'


def test_views_are_equal_to_what_holds_equal_views() -> None:
    spec = fields(SPEC)
    assert spec == {"a": {"b": [1, {"c": None}]}} == fields(SPEC)
    assert {"a": {"b": spec.a.b}} == spec
    assert spec == {"a": MappingProxyType({"b": (1, fields(b'{"c": null}'))})}
    assert spec.a.b == [1, spec.a.b[1]]
    assert spec != {"a": {"b": [1, object()]}}
    assert spec != {"a": {"b": spec}}
    assert spec.a.b != "1" != spec.a.b


def test_plain_leaves_no_view_however_deep() -> None:
    inner = fields(SPEC).a
    found = plain({"x": [inner, (inner.b,)], "y": MappingProxyType({"z": inner})})
    value = {"b": [1, {"c": None}]}
    assert found == {"x": [value, [value["b"]]], "y": {"z": value}}
    assert type(found["x"][0]) is type(found["y"]) is dict
    assert type(found["x"][1]) is list


def test_what_is_plain_is_shared_with_nobody() -> None:
    mine: dict[str, Any] = {"a": [1]}
    plain(mine)["a"].append(2)
    assert mine == {"a": [1]}


def test_views_copy_and_pickle_by_value() -> None:
    spec = fields(SPEC)
    for view in (spec, spec.a.b, MutableFields(open_level(SPEC))):
        assert pickle.loads(pickle.dumps(view)) == copy.copy(view) == copy.deepcopy(view) == view
        assert type(copy.deepcopy(view)) is type(view)


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"1" * 5000])
def test_a_number_that_python_cannot_hold_is_named_by_its_field(number: bytes) -> None:
    spec = fields(b'{"limits": {"cpu": ' + number + b"}}")
    with pytest.raises(Unreadable, match=r"'cpu'.*out of range"):
        _ = spec.limits.cpu
    with pytest.raises(Unreadable, match=r"'cpu'.*out of range"):
        _ = spec["limits"]["cpu"]
    with pytest.raises(Unreadable, match="out of range"):
        plain(spec)
    assert issubclass(Unreadable, KubewatchError)


def test_integers_of_any_usual_size_are_exact() -> None:
    big = 123456789012345678901234567890
    spec = fields(b'{"n": %d}' % big)
    assert spec.n == big
    assert plain(spec) == {"n": big}


def test_a_field_called_like_a_method_is_reached_by_its_key() -> None:
    spec = fields(b'{"items": [1], "keys": 2}')
    assert (spec["items"], spec["keys"]) == ([1], 2)


def test_a_slice_is_a_list_of_views() -> None:
    items = fields(b'{"a": [{"n": 1}, {"n": 2}, {"n": 3}]}').a
    assert isinstance(items, Items)
    assert [one.n for one in items[1:]] == [2, 3]
    assert [one.n for one in reversed(items)] == [3, 2, 1]
