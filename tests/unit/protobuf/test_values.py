"""Metadata in protobuf say what their JSON says, field by field."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.decode import decode_status
from kubewatch.protobuf.messages import reader
from kubewatch.protobuf.values import metadata, names, to_json
from kubewatch.testing.apiserver.protobuf import table
from tests.unit.testing.apiserver.protobuf_encoder import envelope, field

from . import encoded
from .encoded import enveloped, partial


@given(encoded.metadata, st.booleans())
def test_the_json_of_an_object_is_that_of_its_metadata(meta: Any, zeros: bool) -> None:
    raw = enveloped(meta, zeros=zeros)
    assert msgspec.json.decode(to_json(raw)) == partial(meta)


@given(encoded.metadata)
def test_names_and_metadata_are_those_of_the_json(meta: Any) -> None:
    raw = enveloped(meta)
    assert names(raw) == (meta["name"], meta.get("namespace"), meta["resourceVersion"])
    unmanaged = {name: value for name, value in meta.items() if name != "managedFields"}
    assert msgspec.json.decode(msgspec.json.encode(metadata(raw, "Pod"))) == unmanaged


@given(encoded.metadata, st.data())
def test_bytes_that_were_changed_are_read_or_refused(meta: Any, data: st.DataObject) -> None:
    raw = bytearray(enveloped(meta))
    raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for read in (names, to_json):
        try:
            read(bytes(raw))
        except msgspec.DecodeError:
            continue


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("meta.v1.ObjectMeta", "ObjectMeta"),
        ("meta.v1.OwnerReference", "OwnerReference"),
        ("meta.v1.ManagedFieldsEntry", "ManagedFieldsEntry"),
    ],
)
def test_every_field_of_a_message_is_known_by_its_number(name: str, ours: str) -> None:
    known = {field.number: field.name for field in reader(ours)(b"").DESCRIPTOR.fields}
    assert known == {field.number: field.name for field in table().messages[name]}


def test_a_pointer_to_no_time_is_null_and_no_time_is_absent() -> None:
    raw = enveloped({"deletionTimestamp": None, "managedFields": [{"time": None}]})
    assert msgspec.json.decode(to_json(raw))["metadata"] == {
        "deletionTimestamp": None,
        "managedFields": [{"time": None}],
    }


def test_the_first_second_of_1970_is_a_time() -> None:
    epoch = {"creationTimestamp": "1970-01-01T00:00:00Z"}
    assert msgspec.json.decode(to_json(enveloped(epoch)))["metadata"] == epoch


def test_a_status_is_read_as_its_json_would_be() -> None:
    found = decode_status(to_json(encoded.status(retry=7)))
    assert (found.code, found.reason, found.message) == (410, "Expired", "too old resource version: 1 (9)")
    assert found.details == {
        "name": "pods",
        "retryAfterSeconds": 7,
        "causes": [{"reason": "Reason", "message": "why"}],
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"k8s\0",
        b"k8s\0\x0a\xff",
        envelope("v1", "Pod", field(1, field(1, "web"))),
        enveloped({"name": "web"}, more=b"\x0a\x7f"),
    ],
    ids=["nothing", "empty", "cut off", "another kind", "too short"],
)
def test_what_is_no_metadata_is_refused(raw: bytes) -> None:
    for read in (names, to_json, lambda raw: metadata(raw, "Pod")):
        with pytest.raises(msgspec.DecodeError):
            read(raw)


@pytest.mark.parametrize(
    ("written", "shown"),
    [(b"\xff", "\ufffd"), (b"a\xe2\x98z", "a\ufffd\ufffdz"), (b"\xed\xa0\x80", "\ufffd" * 3), ("☃".encode(), "☃")],
)
def test_what_is_no_text_is_shown_as_the_json_of_go_shows_it(written: bytes, shown: str) -> None:
    """Whoever writes in protobuf may put any bytes into an annotation, and the server keeps them."""
    raw = enveloped({"name": "web"}, more=field(12, field(1, "note") + field(2, written)))
    assert metadata(raw, "Pod")["annotations"] == {"note": shown}
    assert msgspec.json.decode(to_json(raw))["metadata"]["annotations"] == {"note": shown}


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError, match=r"protobuf: .*utf-8"):
        names(enveloped({}, more=field(1, b"\xff")))


def test_it_is_read_by_the_package_in_plain_python_too() -> None:
    """That is what pip installs where there is no wheel for the machine."""
    raw = enveloped({"name": "web", "resourceVersion": "7"}, more=field(12, field(1, "note") + field(2, b"\xff")))
    program = f"from kubewatch.protobuf.values import names, to_json; print(names({raw!r}), to_json({raw!r}).decode())"
    environment = os.environ | {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=True)
    assert printed.stdout.strip() == f"{names(raw)} {to_json(raw).decode()}"


def test_a_time_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError, match=r"protobuf: .* too large|out of range"):
        to_json(enveloped({"name": "web"}, more=field(8, field(1, 2**62))))


def test_a_field_of_a_newer_server_is_said_once_to_be_missing(caplog: pytest.LogCaptureFixture) -> None:
    raw = enveloped({"name": "web"}, more=field(99, "new"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            to_json(raw, "Gadget")
    [record] = caplog.records
    assert record.getMessage().startswith("the ObjectMeta of Gadget in protobuf has a field 99")
