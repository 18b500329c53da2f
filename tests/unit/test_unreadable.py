"""Bytes that are skipped when an object is decoded, and turn out at first touch to be no text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from kubewatch.decode import decode_object, decode_partial
from kubewatch.drafts import modified
from kubewatch.errors import Unreadable
from kubewatch.prune import prune


class Model(msgspec.Struct):
    kind: str


BAD = [
    b'{"metadata": {"name": "web", "namespace": "shop"}, "data": {"key": "hunter2 \xff"}}',
    b'{"metadata": {"name": "web", "namespace": "shop"}, "data": {"\xc3(": "hunter2"}}',
    b'{"metadata": {"name": "web", "namespace": "shop", "managedFields": ["hunter2 \xed\xa0\x80"]}}',
    b'{"metadata": {"name": "web", "namespace": "shop"}, "\xff": "hunter2"}',
]
TOUCHES: list[Callable[[Any], object]] = [
    lambda obj: obj["data"]["key"],
    lambda obj: obj.get("data"),
    lambda obj: "data" in obj,
    lambda obj: dict(obj),
    lambda obj: list(obj.items()),
    lambda obj: len(obj),
    lambda obj: obj == {},
    lambda obj: obj.to_dict(),
    lambda obj: obj.to_json(),
    lambda obj: obj.to_yaml(),
    lambda obj: obj.to_model(Model),
    lambda obj: modified(obj, prune("data")),
]


@pytest.mark.parametrize("touch", TOUCHES)
@pytest.mark.parametrize("raw", BAD)
@pytest.mark.parametrize("decode", [decode_object, decode_partial])
def test_skipped_bytes_that_are_no_text_are_an_error_that_names_the_object_and_quotes_nothing(
    decode: Callable[..., Any], raw: bytes, touch: Callable[[Any], object]
) -> None:
    obj = decode(raw, "v1", "Secret")
    assert (obj.name, obj.kind) == ("web", "Secret")
    for _ in range(2):
        with pytest.raises(Unreadable, match=r"^Secret shop/web cannot be read: [^:]*UTF-8$") as raised:
            touch(obj)
        seen: BaseException | None = raised.value
        while seen is not None:
            assert "hunter2" not in repr(seen)
            seen = seen.__cause__


def test_attributes_of_an_object_with_such_bytes_are_no_exception_to_it() -> None:
    with pytest.raises(Unreadable, match="Secret shop/web"):
        _ = decode_object(BAD[0], "v1", "Secret").data


def test_a_number_that_cannot_be_held_names_the_object_where_the_whole_of_it_is_asked_for() -> None:
    obj = decode_object(b'{"metadata": {"name": "web"}, "spec": {"n": 1e400}}', "v1", "Foo")
    with pytest.raises(Unreadable, match=r"Foo web .*out of range"):
        obj.to_dict()
    with pytest.raises(Unreadable, match=r"'replicas'.*out of range"):
        _ = decode_object(b'{"metadata": {"name": "web"}, "replicas": 1e400}', "v1", "Foo").replicas


@pytest.mark.parametrize("text", ["Grüße", "日本", "\U0001f600", "\x7f", ""])
def test_text_of_any_script_is_text(text: str) -> None:
    obj = decode_object(b'{"metadata": {"name": "web"}, "data": {"key": "%s"}}' % text.encode(), "v1", "ConfigMap")
    assert obj.data.key == obj.to_dict()["data"]["key"] == text
