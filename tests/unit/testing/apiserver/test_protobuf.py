"""Objects in protobuf are read as their JSON would be; what cannot be read is refused."""

from __future__ import annotations

import struct
from base64 import b64encode
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.testing.apiserver.app import App, Settings
from kubewatch.testing.apiserver.kinds import built_in_resources
from kubewatch.testing.apiserver.protobuf import (
    MEDIA_TYPE,
    TABLE_FILE,
    Field,
    NoEnvelope,
    decode_message,
    decode_object,
    table,
)
from kubewatch.testing.apiserver.protobuf_values import duration
from kubewatch.testing.apiserver.protobuf_wire import Malformed, occurrences
from kubewatch.testing.apiserver.wire import Request, Response
from tests.envtest import protobuf_messages
from tests.unit.testing.apiserver.protobuf_encoder import encode, envelope, field, varint

Json = dict[str, Any]


def one_field(kind: str, flags: str, data: bytes) -> Any:
    """A message with one field, number 1, called x."""
    return decode_message("m", data, {"m": (Field(1, "x", kind, flags),), "empty": ()})


class TestWire:
    @pytest.mark.parametrize(
        ("kind", "value", "read"),
        [
            ("int64", 2**63 - 1, 2**63 - 1),
            ("int64", -1, -1),
            ("int32", -5, -5),
            ("int32", 2**31 - 1, 2**31 - 1),
            ("bool", 1, True),
            ("double", 0.25, 0.25),
            ("double", 5.0, 5),
            ("string", "ä", "ä"),
            ("string", b"\xff", "\ufffd"),
            ("bytes", b"\x00\xff", b64encode(b"\x00\xff").decode()),
        ],
    )
    def test_a_value_is_read(self, kind: str, value: Any, read: Any) -> None:
        assert one_field(kind, "", field(1, value)) == {"x": read}

    def test_of_many_values_the_last_counts(self) -> None:
        assert one_field("int32", "", field(1, 1) + field(1, 2)) == {"x": 2}

    def test_numbers_come_packed_or_one_by_one(self) -> None:
        packed = field(1, varint(1) + varint(300))
        assert one_field("int32", "r", packed + field(1, 7)) == {"x": [1, 300, 7]}
        assert one_field("double", "r", field(1, struct.pack("<2d", 0.5, 1.5))) == {"x": [0.5, 1.5]}

    def test_a_message_may_come_in_parts(self) -> None:
        messages = {"m": (Field(1, "x", "n", ""),), "n": (Field(1, "a", "string", "o"), Field(2, "b", "string", "o"))}
        parts = field(1, field(1, "1")) + field(1, field(2, "2"))
        assert decode_message("m", parts, messages) == {"x": {"a": "1", "b": "2"}}

    def test_unknown_fields_are_kept_out_whatever_they_are(self) -> None:
        group = varint(9 << 3 | 3) + field(1, "no") + varint(9 << 3 | 4)
        fixed = varint(8 << 3 | 5) + b"1234"
        data = field(7, 1) + group + fixed + field(6, 1.5) + field(5, b"?") + field(1, "yes")
        assert one_field("string", "", data) == {"x": "yes"}

    def test_a_map_s_entry_may_lack_key_or_value(self) -> None:
        data = field(1, field(1, "a") + field(2, "b")) + field(1, field(2, "c")) + field(1, field(1, "d"))
        assert one_field("string", "m", data) == {"x": {"a": "b", "": "c", "d": ""}}

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"\x0a\x05ab", id="cut off within a field"),
            pytest.param(b"\x0a", id="cut off before a length"),
            pytest.param(b"\x80", id="cut off within a number"),
            pytest.param(b"\x80" * 11, id="a number of too many bytes"),
            pytest.param(b"\x02\x00", id="field 0"),
            pytest.param(b"\x0e", id="a wire type that there is not"),
            pytest.param(b"\x0c", id="a group's end without its start"),
            pytest.param(b"\x0b", id="a group's start without its end"),
            pytest.param(b"\x09\x01", id="cut off within eight bytes"),
        ],
    )
    def test_what_is_no_message_is_refused(self, data: bytes) -> None:
        with pytest.raises(Malformed):
            occurrences(data)

    @pytest.mark.parametrize(
        ("kind", "data"), [("string", field(1, 5)), ("int64", field(1, 0.5)), ("empty", field(1, 5))]
    )
    def test_a_field_of_another_type_is_refused(self, kind: str, data: bytes) -> None:
        with pytest.raises(Malformed, match="wrong wireType"):
            one_field(kind, "", data)

    def test_messages_nested_without_end_are_refused(self) -> None:
        data = b""
        for _ in range(1000):
            data = field(1, data)
        with pytest.raises(Malformed, match="within each other"):
            decode_message("m", data, {"m": (Field(1, "x", "m", "p"),)})

    @given(st.binary(max_size=60))
    def test_any_bytes_are_read_or_refused(self, data: bytes) -> None:
        with suppress(Malformed):
            assert decode_object(envelope("apps/v1", "Deployment", data), "", "")["kind"] == "Deployment"


class TestPresence:
    """What is shown of what is absent or empty: as Go's JSON shows it."""

    @pytest.mark.parametrize(
        ("kind", "flags", "shown"),
        [
            ("string", "", {"x": ""}),
            ("string", "o", {}),
            ("string", "po", {}),
            ("string", "p", {"x": None}),
            ("int32", "", {"x": 0}),
            ("bool", "o", {}),
            ("bytes", "", {"x": None}),
            ("string", "r", {"x": None}),
            ("string", "ro", {}),
            ("string", "mo", {}),
            ("empty", "", {"x": {}}),
            ("empty", "o", {"x": {}}),
            ("empty", "po", {}),
            ("meta.v1.Time", "o", {"x": None}),
            ("meta.v1.Time", "oz", {}),
            ("meta.v1.Time", "po", {}),
            ("resource.Quantity", "o", {"x": "0"}),
        ],
    )
    def test_an_absent_field(self, kind: str, flags: str, shown: Json) -> None:
        assert one_field(kind, flags, b"") == shown

    @pytest.mark.parametrize(
        ("kind", "flags", "sent", "shown"),
        [
            ("string", "o", "", {}),
            ("int32", "o", 0, {}),
            ("int32", "po", 0, {"x": 0}),
            ("bool", "po", 0, {"x": False}),
            ("string", "po", "", {"x": ""}),
            ("bytes", "o", b"", {}),
            ("bytes", "", b"", {"x": ""}),
            ("empty", "po", b"", {"x": {}}),
        ],
    )
    def test_a_field_that_is_there_and_zero(self, kind: str, flags: str, sent: Any, shown: Json) -> None:
        assert one_field(kind, flags, field(1, sent)) == shown

    def test_the_fields_of_an_inlined_message_are_those_of_the_message_around_it(self) -> None:
        volume = decode_message("core.v1.Volume", field(1, "v") + field(2, field(2, b"")), table().messages)
        assert volume == {"name": "v", "emptyDir": {}}


class TestSpecialMessages:
    @pytest.mark.parametrize(
        ("message", "data", "read"),
        [
            ("meta.v1.Time", field(1, 1_700_000_000) + field(2, 999_999_999), "2023-11-14T22:13:20Z"),
            ("meta.v1.Time", field(1, -1), "1969-12-31T23:59:59Z"),
            ("meta.v1.Time", b"", None),
            ("meta.v1.MicroTime", field(1, 1_700_000_000) + field(2, 1_234_999), "2023-11-14T22:13:20.001234Z"),
            ("meta.v1.MicroTime", b"", None),
            ("meta.v1.Duration", field(1, 90_000_000_000), "1m30s"),
            ("resource.Quantity", field(1, "100m"), "100m"),
            ("intstr.IntOrString", field(1, 0) + field(2, 80) + field(3, ""), 80),
            ("intstr.IntOrString", field(1, 1) + field(2, 0) + field(3, "25%"), "25%"),
            ("runtime.RawExtension", field(1, '{"a":[1]}'), {"a": [1]}),
            ("meta.v1.FieldsV1", field(1, '{"f:data":{}}'), {"f:data": {}}),
            ("apiextensions.v1.JSON", field(1, "5"), 5),
            ("apiextensions.v1.JSONSchemaPropsOrBool", field(1, 1), True),
            ("apiextensions.v1.JSONSchemaPropsOrBool", field(1, 1) + field(2, field(5, "string")), {"type": "string"}),
            ("apiextensions.v1.JSONSchemaPropsOrArray", field(1, field(5, "string")), {"type": "string"}),
            ("apiextensions.v1.JSONSchemaPropsOrArray", field(2, field(5, "a")) + field(2, b""), [{"type": "a"}, {}]),
            ("apiextensions.v1.JSONSchemaPropsOrStringArray", field(2, "a") + field(2, "b"), ["a", "b"]),
            ("authorization.v1.ExtraValue", field(1, "a") + field(1, "b"), ["a", "b"]),
        ],
    )
    def test_it_is_read_as_what_json_shows(self, message: str, data: bytes, read: Any) -> None:
        assert decode_message(message, data, table().messages) == read

    @pytest.mark.parametrize(
        ("nanoseconds", "text"),
        [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (-1_500_000_000, "-1.5s"),
            (60_000_000_000, "1m0s"),
            (3_600_000_000_000, "1h0m0s"),
            (90_061_000_000_001, "25h1m1.000000001s"),
        ],
    )
    def test_durations_are_written_as_go_writes_them(self, nanoseconds: int, text: str) -> None:
        assert duration(occurrences(field(1, nanoseconds))) == text

    @pytest.mark.parametrize(
        ("message", "data"),
        [("meta.v1.Time", field(1, 2**62)), ("runtime.RawExtension", field(1, "{"))],
    )
    def test_what_has_no_meaning_is_refused(self, message: str, data: bytes) -> None:
        with pytest.raises(Malformed):
            decode_message(message, data, table().messages)


class TestObjects:
    def test_the_envelope_says_what_the_object_is(self) -> None:
        body = envelope("v1", "ConfigMap", field(1, field(1, "c")) + field(2, field(1, "k") + field(2, "v")))
        assert decode_object(body, "", "") == {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": "c"},
            "data": {"k": "v"},
        }

    def test_an_envelope_that_does_not_say_it_is_of_the_kind_expected(self) -> None:
        assert decode_object(envelope("", "", b""), "v1", "Secret")["kind"] == "Secret"

    def test_options_to_delete_with_are_of_any_group(self) -> None:
        options = decode_object(envelope("apps/v1", "DeleteOptions", field(1, 0)), "", "")
        assert options["gracePeriodSeconds"] == 0

    @pytest.mark.parametrize("body", [b"", b"{}", b"k8s\x00", b"k8s"])
    def test_what_is_no_envelope_is_refused(self, body: bytes) -> None:
        with pytest.raises(NoEnvelope):
            decode_object(body, "v1", "Pod")

    def test_an_unknown_kind_is_refused(self) -> None:
        with pytest.raises(Malformed, match='no kind "Pod" is registered for version "v2"'):
            decode_object(envelope("v2", "Pod", b""), "v1", "Pod")

    @pytest.mark.parametrize("resource", built_in_resources(), ids=lambda one: f"{one.api_version} {one.kind}")
    def test_every_kind_that_is_served_is_read(self, resource: Any) -> None:
        read = decode_object(envelope(resource.api_version, resource.kind, field(1, field(1, "x"))), "", "")
        assert (read["apiVersion"], read["kind"]) == (resource.api_version, resource.kind)


# --- what is encoded is read again ---

MESSAGES = table().messages
_TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": _TEXT,
    "bytes": st.binary(max_size=5),
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False, width=32).filter(lambda one: not one.is_integer()),
}


@cache
def _is_plain(name: str) -> bool:
    """Whether a message is shown field by field, and so are those that it holds."""
    return name in _VALUES or (
        name in MESSAGES and all(not {"i", "l"} & set(one.flags) and _is_plain(one.type) for one in MESSAGES[name])
    )


PLAIN = sorted(name for name in MESSAGES if _is_plain(name))


def _of_message(name: str) -> st.SearchStrategy[Json]:
    """Only what is shown: of fields that are left out when they are empty, those that are not."""
    fields = {one.name: _of_field(one) for one in MESSAGES[name]}
    optional = {
        one.name for one in MESSAGES[name] if "o" in one.flags and (one.type in _VALUES or set("prm") & set(one.flags))
    }
    return st.fixed_dictionaries(
        {key: value for key, value in fields.items() if key not in optional},
        optional={key: value for key, value in fields.items() if key in optional},
    )


def _of_field(one: Field) -> st.SearchStrategy[Any]:
    value = _VALUES[one.type] if one.type in _VALUES else _of_message(one.type)
    if "m" in one.flags:
        return st.dictionaries(_TEXT, value, min_size=1, max_size=2)
    if "r" in one.flags:
        return st.lists(value, min_size=1, max_size=2)
    return value.filter(bool) if "o" in one.flags and "p" not in one.flags and one.type in _VALUES else value


@st.composite
def messages_and_values(draw: st.DrawFn) -> tuple[str, Json]:
    name = draw(st.sampled_from(PLAIN))
    return name, draw(_of_message(name))


def _in_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, dict):
        return {key: _in_json(one) for key, one in value.items()}
    return [_in_json(one) for one in value] if isinstance(value, list) else value


@given(messages_and_values())
def test_what_is_encoded_is_read_again(case: tuple[str, Json]) -> None:
    name, sent = case
    assert decode_message(name, encode(name, sent, MESSAGES), MESSAGES) == _in_json(sent)


def test_a_deployment_is_read_whole() -> None:
    time = field(1, 1_700_000_000)
    container = {
        "name": "c",
        "image": "nginx",
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "resources": {"limits": {"cpu": field(1, "1")}},
        "livenessProbe": {"periodSeconds": 5},
    }
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    rolling = {"maxSurge": field(1, 1) + field(3, "25%"), "maxUnavailable": field(2, 1)}
    sent = {
        "metadata": {"name": "d", "creationTimestamp": time},
        "spec": {"replicas": 0, "template": template, "strategy": {"rollingUpdate": rolling}},
    }
    read = decode_object(envelope("apps/v1", "Deployment", encode("apps.v1.Deployment", sent, MESSAGES)), "", "")
    assert read == {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "d", "creationTimestamp": "2023-11-14T22:13:20Z"},
        "spec": {
            "replicas": 0,
            "selector": None,
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [container | {"resources": {"limits": {"cpu": "1"}}}]},
            },
            "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
        },
        "status": {},
    }


# --- requests ---


def request(app: App, method: str, path: str, body: bytes, media_type: str = MEDIA_TYPE) -> Response:
    response = app.handle(Request(method, path, {"content-type": media_type}, body))
    assert isinstance(response, Response)
    return response


@pytest.fixture
def app() -> App:
    return App(Settings())


MAPS = "/api/v1/namespaces/default/configmaps"
NAMED = field(1, field(1, "x"))


class TestRequests:
    def test_an_object_is_created_replaced_and_deleted(self, app: App) -> None:
        assert request(app, "POST", MAPS, envelope("v1", "ConfigMap", NAMED)).status == 201
        data = field(2, field(1, "k") + field(2, "v"))
        replaced = request(app, "PUT", f"{MAPS}/x", envelope("v1", "ConfigMap", NAMED + data))
        assert replaced.status == 200
        assert b'"data":{"k":"v"}' in replaced.body
        options = envelope("v1", "DeleteOptions", field(2, field(1, "another")))
        assert request(app, "DELETE", f"{MAPS}/x", options).status == 409
        assert request(app, "DELETE", f"{MAPS}/x", envelope("v1", "DeleteOptions", b"")).status == 200

    def test_a_parameter_of_the_media_type_does_not_matter(self, app: App) -> None:
        body = envelope("v1", "ConfigMap", NAMED)
        assert request(app, "POST", MAPS, body, f"{MEDIA_TYPE}; charset=utf-8").status == 201

    @pytest.mark.parametrize(
        "body", [b"", b"{}", envelope("v1", "ConfigMap", b"\x0a"), envelope("v1", "Secret", NAMED)]
    )
    def test_a_body_that_cannot_be_read_is_a_bad_request(self, app: App, body: bytes) -> None:
        refused = request(app, "POST", MAPS, body)
        assert refused.status == 400
        assert b"BadRequest" in refused.body

    def test_a_subresource_s_body_is_of_the_subresource_s_kind(self, app: App) -> None:
        assert request(app, "POST", "/api/v1/namespaces/default/serviceaccounts", envelope("", "", NAMED)).status == 201
        path = "/api/v1/namespaces/default/serviceaccounts/x/token"
        assert b'"kind":"TokenRequest"' in request(app, "POST", path, envelope("", "", b"")).body

    def test_patches_are_never_in_protobuf(self, app: App) -> None:
        request(app, "POST", MAPS, envelope("v1", "ConfigMap", NAMED))
        assert request(app, "PATCH", f"{MAPS}/x", envelope("v1", "ConfigMap", NAMED)).status == 415

    def test_custom_resources_are_never_in_protobuf(self, app: App) -> None:
        names = field(1, "foos") + field(2, "foo") + field(4, "Foo") + field(5, "FooList")
        schema = field(4, field(1, field(5, "object")))
        version = field(1, "v1") + field(2, 1) + field(3, 1) + schema
        spec = field(1, "example.com") + field(3, names) + field(4, "Namespaced") + field(7, version)
        definition = envelope(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            field(1, field(1, "foos.example.com")) + field(2, spec),
        )
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        assert request(app, "POST", definitions, definition).status == 201
        foos = "/apis/example.com/v1/namespaces/default/foos"
        assert request(app, "POST", foos, envelope("example.com/v1", "Foo", NAMED)).status == 415


def test_the_table_is_what_the_go_modules_say() -> None:
    try:
        made = protobuf_messages.table()
    except protobuf_messages.NoModules as error:
        pytest.skip(str(error))
    assert TABLE_FILE.read_text() == protobuf_messages.text_of(made), "run python -m tests.envtest.protobuf_messages"
