"""Objects at a REPL: what completion offers, what they print, and what never shows."""

from __future__ import annotations

import pprint
import rlcompleter
from typing import Any

import pytest

from kubewatch.decode import decode_object, decode_partial
from kubewatch.drafts import modified
from kubewatch.fields import LAST_APPLIED
from kubewatch.objects import Object

POD = b"""{"metadata": {"name": "web", "labels": {"app.io/name": "web", "tier": "front"},
            "managedFields": [{"manager": "kubectl"}]},
           "spec": {"nodeName": "n1", "containers": [{"image": "web:1"}], "class": "x"},
           "status": {"phase": "Running"}}"""


def pod() -> Object:
    return decode_object(POD, "v1", "Pod")


def completed(text: str) -> list[str]:
    """What the interpreter's TAB offers for `text`, with `pod` at hand."""
    completer = rlcompleter.Completer({"pod": pod()})
    offers: list[str] = []
    while (offer := completer.complete(text, len(offers))) is not None:
        offers.append(offer)
    return offers


def test_tab_completes_fields_at_any_depth() -> None:
    assert completed("pod.sp") == ["pod.spec"]
    assert completed("pod.spec.no") == ["pod.spec.nodeName"]
    assert completed("pod.status.ph") == ["pod.status.phase"]
    assert completed("pod.to_y")[0].startswith("pod.to_yaml(")


def test_tab_offers_no_field_that_cannot_be_written_as_an_attribute() -> None:
    assert "tier" in dir(pod()["metadata"]["labels"])
    assert "app.io/name" not in dir(pod()["metadata"]["labels"])
    assert "class" not in dir(pod().spec)
    assert pod()["metadata"]["labels"]._ipython_key_completions_() == ["app.io/name", "tier"]
    assert "spec" in pod()._ipython_key_completions_()


def test_tab_offers_nothing_that_metadata_alone_have_not() -> None:
    partial = decode_partial(POD, "v1", "Pod")
    assert all(hasattr(partial, name) for name in dir(partial) if not name.startswith("_"))


def test_yaml_is_without_managed_fields_unless_asked() -> None:
    assert "managedFields" not in pod().to_yaml()
    assert "manager: kubectl" in pod().to_yaml(managed_fields=True)


def test_the_repr_of_metadata_has_what_is_there() -> None:
    meta = decode_object(b'{"metadata": {"name": "web", "uid": "1"}}', "v1", "Pod").metadata
    assert repr(meta) == "ObjectMeta(name='web', uid='1')"


@pytest.mark.parametrize("labels", [b'{"a": 5}', b'{"a": "\xff"}'], ids=["no text", "no UTF-8"])
def test_metadata_that_cannot_be_read_can_be_shown_and_say_so(labels: bytes) -> None:
    """Who logs them is not to lose the line."""
    meta = decode_object(b'{"metadata": {"name": "web", "namespace": "shop", "labels": %s}}' % labels).metadata
    assert repr(meta).startswith("<ObjectMeta: metadata.labels of shop/web cannot be read: ")


SECRET = decode_object(
    b'{"metadata": {"name": "s", "annotations": {"%s": "hunter2", "a": "b"}}, "data": {"password": "hunter2"},'
    b' "stringData": {"user": "hunter2"}}' % LAST_APPLIED.encode(),
    "v1",
    "Secret",
)


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        SECRET.data,
        SECRET.stringData,
        SECRET["data"],
        SECRET.get("data"),
        list(SECRET.values()),
        dict(SECRET.items()),
        SECRET["metadata"],
        SECRET["metadata"]["annotations"],
        SECRET.metadata,
        SECRET.annotations,
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_repr_shows_what_is_in_a_secret(value: Any) -> None:
    assert "hunter2" not in repr(value)
    assert "hunter2" not in str(value)


@pytest.mark.parametrize(
    "value", [SECRET, decode_partial(SECRET._raw), SECRET.metadata], ids=lambda v: type(v).__name__
)
def test_nor_does_what_rich_shows(value: Any) -> None:
    """It asks for fields and their values, and takes these apart; a Struct would by itself give all that it has."""
    assert SECRET.annotations  # they are read by now
    shown = dict(value.__rich_repr__())
    assert shown["name"] == "s"
    assert "hunter2" not in str(shown)
    assert {type(each) for each in shown.values()} <= {str, dict, type(None)}


def test_nor_does_a_pretty_printer_that_takes_annotations_apart() -> None:
    assert "hunter2" not in pprint.pformat(SECRET.annotations, width=20)


def test_what_is_in_a_secret_is_there_for_who_asks() -> None:
    assert SECRET.data.password == SECRET["data"]["password"] == SECRET.annotations[LAST_APPLIED] == "hunter2"
    assert repr(SECRET.data) == "<values not shown: password>"
    assert SECRET.data == {"password": "hunter2"}
    assert dict(SECRET.data) == {"password": "hunter2"}


def test_no_repr_of_a_secrets_draft_shows_what_is_in_it() -> None:
    seen: list[str] = []

    def look(draft: Any) -> None:
        seen.extend([repr(draft), repr(draft.data), repr(draft.metadata)])
        draft.data.password = "other"

    assert modified(SECRET, look).data.password == "other"
    assert seen[:2] == ["<draft of Secret s>", "<values not shown: password>"]
    assert "hunter2" not in seen[2]


def test_the_data_of_other_kinds_show() -> None:
    settings = decode_object(b'{"metadata": {"name": "c"}, "data": {"a": "b"}}', "v1", "ConfigMap")
    assert repr(settings.data) == "{'a': 'b'}"
