"""An object that came in protobuf is a `PartialObjectMeta` like any other."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given

from kubewatch import PartialObjectMeta, Unreadable, prune
from kubewatch.decode import checking, decode_partial, decode_whole_frame
from kubewatch.drafts import modified
from kubewatch.objects import ProtobufObjectMeta
from kubewatch.protobuf.frames import Frames
from kubewatch.protobuf.objects import decode_protobuf, or_protobuf
from kubewatch.protobuf.values import to_json
from tests.unit.testing.apiserver.protobuf_encoder import envelope, field

from . import encoded
from .encoded import enveloped, frame, partial

META = {
    "name": "web",
    "namespace": "shop",
    "uid": "1",
    "resourceVersion": "7",
    "labels": {"app": "web"},
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:data": {}}}],
}


def both(meta: Any) -> tuple[PartialObjectMeta, PartialObjectMeta]:
    in_json = decode_partial(msgspec.json.encode(partial(meta)), "v1", "ConfigMap")
    return decode_protobuf(enveloped(meta), "v1", "ConfigMap"), in_json


@given(encoded.metadata)
def test_it_is_what_the_same_in_json_is(meta: Any) -> None:
    one, other = both(meta)
    assert (one.name, one.namespace, one.resource_version, one.uid) == (
        other.name,
        other.namespace,
        other.resource_version,
        other.uid,
    )
    assert one.metadata == other.metadata
    assert one.to_dict() == other.to_dict()
    assert (one, hash(one), repr(one), one.ref) == (other, hash(other), repr(other), other.ref)
    assert dict(one.labels) == dict(other.labels)
    for copied in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
        assert copied == other
        assert isinstance(copied, PartialObjectMeta)


def test_another_version_is_another_object() -> None:
    one, other = both(META)
    later, _ = both(META | {"resourceVersion": "8"})
    assert later not in (one, other)


def test_it_stays_in_protobuf_until_it_is_changed() -> None:
    one, other = both(META)
    assert isinstance(one, ProtobufObjectMeta)
    cut = modified(one, prune("metadata.managedFields"))
    assert cut == modified(other, prune("metadata.managedFields"))
    assert type(cut) is PartialObjectMeta

    def relabel(draft: Any) -> None:
        draft.metadata.labels = {"app": "db"}

    assert dict(modified(one, relabel).labels) == {"app": "db"}
    assert modified(one, relabel) == modified(other, relabel)
    assert modified(one, lambda draft: None) == other


def test_fields_are_read_as_of_any_object() -> None:
    one, other = both(META)
    assert one["metadata"]["managedFields"] == other["metadata"]["managedFields"]
    assert list(one) == list(other)
    with pytest.raises(AttributeError, match="was not fetched"):
        _ = one.spec
    assert not one.diff(other)


def test_what_cannot_be_read_is_told_when_it_is_touched_or_at_once_where_all_is_checked() -> None:
    raw = enveloped(META, more=field(11, b"\xff"))  # a label that is cut off
    obj = decode_protobuf(raw, "v1", "ConfigMap")
    assert (obj.name, obj.namespace) == ("web", "shop")
    for touch in (lambda: obj.labels, lambda: obj["metadata"], obj.to_dict, obj.to_json):
        with pytest.raises(Unreadable, match="ConfigMap shop/web cannot be read: protobuf"):
            touch()
    with pytest.raises(Unreadable):
        checking(decode_protobuf)(raw, "v1", "ConfigMap")


def test_of_an_object_of_another_form_the_error_says_which_also_behind_its_line() -> None:
    pod = envelope("v1", "Pod", b"")
    in_line = decode_whole_frame(Frames().line(frame("ADDED", pod), 4, len(frame("ADDED", pod))))[1]
    for raw in (pod, in_line):
        with pytest.raises(msgspec.DecodeError, match="expected a PartialObjectMetadata, got a Pod"):
            or_protobuf(decode_partial)(raw, "v1", "Pod")


def test_a_message_without_metadata_is_no_object() -> None:
    raw = envelope(encoded.META, encoded.PARTIAL, b"")
    with pytest.raises(msgspec.DecodeError, match="has no name"):
        decode_protobuf(raw, "v1", "Pod")
    with pytest.raises(msgspec.DecodeError, match="has no metadata"):
        to_json(raw)
