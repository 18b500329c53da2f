"""What is decoded without a look at all of the bytes is what a full decoder makes of them, whatever the JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubewatch.config import Config
from kubewatch.decode import checking, decode_frame, decode_object, decode_partial
from kubewatch.drafts import modified
from kubewatch.errors import Unreadable
from kubewatch.machine import Machine
from kubewatch.metadata import ObjectMeta, decode_meta
from kubewatch.objects import Object, PartialObjectMeta
from kubewatch.prune import prune
from kubewatch.vitals import Vitals

from .stub_source import StubSource

# Text that looks like the places in which an object is cut.
LOOKALIKES = [
    ',"managedFields":[',
    ',"managedFields":[{"manager":"x"}]',
    "]",
    "[",
    ']},"spec":{',
    '],"name":"other"',
    "}}",
    '"metadata":{"name":"other"}',
    ',"extra":',
    "\\",
    '\\"',
    "ä\u2028\U0001f600",
]
texts = st.one_of(st.sampled_from(LOOKALIKES), st.text(max_size=6))
scalars = st.one_of(st.none(), st.booleans(), st.integers(-9, 999), texts)


class Pairs(list[tuple[str, Any]]):
    """The members of a JSON object, in their order; a key may be there twice."""


KEYS = ["metadata", "kind", "apiVersion", "name", "managedFields", "spec", "labels", "f:name", 'k:{"uid":"1"}', ""]
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(st.tuples(st.one_of(st.sampled_from(KEYS), texts), inner), max_size=3).map(Pairs),
    ),
    max_leaves=12,
)
mappings = st.lists(st.tuples(st.sampled_from(["app", "managedFields", "name"]), texts), max_size=3).map(Pairs)
managed = st.lists(st.one_of(values, st.just(Pairs([("manager", "kubelet"), ("fieldsV1", Pairs())]))), max_size=3)
members = st.one_of(
    st.tuples(st.sampled_from(["name", "uid", "namespace", "resourceVersion"]), texts),
    st.tuples(st.just("generation"), st.integers(1, 99)),
    st.tuples(st.sampled_from(["labels", "annotations"]), st.one_of(mappings, mappings, values)),
    st.tuples(st.just("finalizers"), st.lists(texts, max_size=2)),
    st.tuples(st.just("managedFields"), managed),
    st.tuples(st.just("other"), values),
)
GO_ORDER = ["name", "namespace", "uid", "resourceVersion", "generation", "labels", "annotations", "finalizers"]


def _in_order(order: Callable[[str], Any]) -> Callable[[Pairs], Pairs]:
    return lambda pairs: Pairs(sorted(pairs, key=lambda pair: order(pair[0])))


def _of_go(key: str) -> int:
    return GO_ORDER.index(key) if key in GO_ORDER else len(GO_ORDER)


anyhow = st.lists(members, max_size=6).map(Pairs)
metadata = st.one_of(anyhow, anyhow.map(_in_order(_of_go)), anyhow.map(_in_order(str)))
typed = st.builds(
    lambda meta, rest: Pairs([("kind", "Pod"), ("apiVersion", "v1"), ("metadata", meta), *rest]),
    metadata,
    st.lists(st.tuples(st.sampled_from(["spec", "status", "data", "kind"]), values), max_size=2),
)
custom = st.builds(
    lambda meta, spec: Pairs([("apiVersion", "x/v1"), ("kind", "Foo"), ("metadata", meta), ("spec", spec)]),
    metadata,
    values,
)
alone = metadata.map(lambda meta: Pairs([("kind", "PartialObjectMetadata"), ("metadata", meta)]))
mixed = st.lists(
    st.one_of(
        st.tuples(st.just("metadata"), metadata),
        st.tuples(st.sampled_from(["kind", "apiVersion"]), texts),
        st.tuples(st.sampled_from(KEYS), values),
    ),
    max_size=5,
).map(Pairs)
# As servers write them: each with managedFields, behind what is no text, and seldom with a bracket in them.
entries = st.lists(
    st.tuples(st.sampled_from(["manager", "f:a", "f:b"]), st.one_of(st.just(Pairs()), texts)), max_size=3
)
usual = st.builds(
    lambda before, entry, behind, rest: Pairs(
        [
            ("kind", "Pod"),
            ("metadata", Pairs([*before, ("generation", 1), ("managedFields", [Pairs(entry)]), *behind])),
            *rest,
        ]
    ),
    anyhow,
    entries,
    st.one_of(st.just(Pairs()), anyhow),
    st.lists(st.tuples(st.sampled_from(["spec", "metadata"]), values), max_size=1),
)
documents = st.one_of(usual, alone, typed, custom, mixed)

STYLES = [(",", ":"), (", ", ": "), (" , ", " : "), (",\n ", ":\t")]


def written(value: Any, style: tuple[str, str], ascii_only: bool) -> str:
    """JSON text; keys and texts are spelled with escapes where `ascii_only`."""
    if isinstance(value, Pairs):
        parts = (
            json.dumps(key, ensure_ascii=ascii_only) + style[1] + written(member, style, ascii_only)
            for key, member in value
        )
        return "{" + style[0].join(parts) + "}"
    if isinstance(value, list):
        return "[" + style[0].join(written(member, style, ascii_only) for member in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


def expected(raw: bytes) -> tuple[ObjectMeta, str, str] | None:
    """Metadata, API version and kind by way of the whole document as `json` reads it; None where it is no object."""
    whole = json.loads(raw)
    try:
        meta = decode_meta(json.dumps(whole["metadata"]).encode())
        head = (whole.get("apiVersion", ""), whole.get("kind", ""))
        return (meta, *msgspec.convert(head, tuple[str, str]))
    except (KeyError, msgspec.ValidationError):
        return None


def found(decode: Callable[..., Object | PartialObjectMeta], raw: bytes) -> tuple[ObjectMeta, str, str] | None:
    try:
        obj = decode(raw, "", "")
        _touch(obj.metadata)
    except (msgspec.ValidationError, Unreadable):
        return None
    return obj.metadata, obj.api_version, obj.kind


def _touch(meta: ObjectMeta) -> None:
    """Read what is read at first touch only."""
    meta.labels, meta.annotations, meta.owner_references  # noqa: B018


def doubled(pairs: Pairs) -> bool:
    """Whether a member is there twice, of which the full decoder refuses a wrong first one, and `json` forgets it."""
    keys = [key for key, _ in pairs]
    return len(set(keys)) < len(keys) or any(doubled(value) for _, value in pairs if isinstance(value, Pairs))


@pytest.mark.parametrize("decode", [decode_object, decode_partial, checking(decode_object)])
@given(documents, st.sampled_from(STYLES), st.booleans())
@example(Pairs([("metadata", Pairs([("labels", Pairs([("a", "b"), ("managedFields", [1])]))]))]), STYLES[2], False)
@example(Pairs([("metadata", Pairs([("labels", Pairs([("a", "b"), ("managedFields", [1])]))]))]), STYLES[0], False)
@example(
    Pairs([("metadata", Pairs([("generation", 1), ("managedFields", [Pairs([("m", "],")])]), ("name", "late")]))]),
    STYLES[0],
    False,
)
@example(
    Pairs([("metadata", Pairs([("generation", 1), ("managedFields", [])])), ("metadata", Pairs([("name", "last")]))]),
    STYLES[0],
    False,
)
def test_metadata_and_type_are_those_of_the_whole_document(
    decode: Callable[..., Object | PartialObjectMeta], document: Pairs, style: tuple[str, str], ascii_only: bool
) -> None:
    raw = written(document, style, ascii_only).encode("utf-8", "surrogatepass")
    if not _is_text(raw):
        return
    got, want = found(decode, raw), expected(raw)
    assert got == want or (got is None and doubled(document))
    if got is not None:
        obj = decode(raw, "", "")
        rest = {key: value for key, value in json.loads(raw).items() if key not in ("apiVersion", "kind")}
        assert obj.to_dict() == {"apiVersion": obj.api_version, "kind": obj.kind, **rest}


@pytest.mark.parametrize("paths", [["metadata.managedFields"], ["status", "metadata.managedFields", "spec.name"]])
@given(documents, st.sampled_from(STYLES), st.booleans())
@example(Pairs([("metadata", Pairs([("generation", 1), ("managedFields", [])])), ("status", 1)]), STYLES[0], False)
@example(Pairs([("metadata", Pairs([("generation", 1), ("managedFields", []), ("name", "a")]))]), STYLES[0], False)
@example(
    Pairs(
        [
            ("metadata", Pairs([("generation", 1)])),
            ("spec", Pairs([("metadata", Pairs([("generation", 1), ("managedFields", [])]))])),
        ]
    ),
    STYLES[0],
    False,
)
@example(
    Pairs([("metadata", Pairs([("generation", 1), ("managedFields", []), ("name", "a"), ("managedFields", [])]))]),
    STYLES[0],
    False,
)
@example(
    Pairs(
        [
            ("metadata", Pairs([("generation", 1), ("managedFields", [])])),
            ("metadata", Pairs([("generation", 1), ("managedFields", [1])])),
        ]
    ),
    STYLES[0],
    False,
)
@example(
    Pairs([("metadata", Pairs([("other", Pairs([("generation", 1), ("managedFields", [])])), ("name", "a")]))]),
    STYLES[0],
    False,
)
def test_pruning_takes_what_it_names_and_nothing_else(
    paths: list[str], document: Pairs, style: tuple[str, str], ascii_only: bool
) -> None:
    raw = written(document, style, ascii_only).encode("utf-8", "surrogatepass")
    if not _is_text(raw) or found(decode_object, raw) is None:
        return
    obj = decode_object(raw, "v1", "Foo")
    pruned = modified(obj, prune(*paths))
    wanted = obj.to_dict()
    prune(*paths)(wanted)
    assert pruned.to_dict() == wanted
    assert pruned.metadata == obj.metadata


REFUSED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@pytest.mark.parametrize("decode", [decode_object, decode_partial])
@given(documents, st.binary(max_size=3), st.integers(0, 400), st.integers(0, 400))
def test_bytes_that_are_no_json_are_refused_at_once_or_at_the_first_touch(
    decode: Callable[..., Object | PartialObjectMeta], document: Pairs, junk: bytes, start: int, end: int
) -> None:
    whole = written(document, STYLES[0], ascii_only=False).encode("utf-8", "surrogatepass")
    raw = whole[:start] + junk + whole[max(start, end) :]
    try:
        obj = decode(raw, "v1", "Foo")
    except REFUSED:
        with pytest.raises(REFUSED):
            checking(decode)(raw, "v1", "Foo")
        return
    try:
        obj.to_dict()
        _touch(obj.metadata)
    except Unreadable:
        return
    assert checking(decode)(raw, "v1", "Foo") == obj


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:  # half of a pair of surrogates
        return False
    return True


@given(documents, st.sampled_from([(), (("extra", Pairs([("b", 1)])),), (("extra", ']}},"x'),)]), st.booleans())
def test_the_object_of_a_frame_is_that_of_the_whole_frame(document: Pairs, more: Any, first: bool) -> None:
    frame = Pairs([("type", "MODIFIED"), ("object", document), *more])
    line = written(frame if not first else Pairs(reversed(frame)), STYLES[0], ascii_only=False)
    text = line.encode("utf-8", "surrogatepass")
    if not _is_text(text) or expected(written(document, STYLES[0], ascii_only=False).encode()) is None:
        return
    type_, raw = decode_frame(b"\n" + text + b"\n", 1, 1 + len(text))
    try:
        decode_object(raw)
    except msgspec.DecodeError:
        assert more or doubled(document)  # the machine looks at the whole frame then
        return
    assert (type_, json.loads(raw)) == ("MODIFIED", json.loads(text)["object"])


BAD = b'{"metadata":{"name":"web","generation":1,"managedFields":[{"a":}]}}'
DEEP = BAD.replace(b'{"a":}', b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
NO_TEXT = b'{"metadata":{"name":"web","resourceVersion":"1"},"spec":"\xff"}'
NO_LABELS = b'{"metadata":{"name":"web","namespace":"shop","labels":{"app":5},"annotations":{},"ownerReferences":[1]}}'


@pytest.mark.parametrize("raw", [BAD, DEEP], ids=["no JSON", "nested without end"])
@pytest.mark.parametrize("decode", [decode_object, decode_partial])
def test_what_nobody_reads_is_checked_all_the_same(
    decode: Callable[..., Object | PartialObjectMeta], raw: bytes
) -> None:
    with pytest.raises(REFUSED):
        decode(raw, "v1", "Pod")


@pytest.mark.parametrize("decode", [decode_object, decode_partial])
@pytest.mark.parametrize("name", ["labels", "annotations", "ownerReferences"])
def test_metadata_of_a_wrong_type_are_refused_at_once(
    decode: Callable[..., Object | PartialObjectMeta], name: str
) -> None:
    for value in (b"5", b'"text"', b"true", b"{}" if name == "ownerReferences" else b"[]"):
        with pytest.raises(msgspec.ValidationError, match=name):
            decode(b'{"metadata":{"name":"web","%s":%s}}' % (name.encode(), value), "v1", "Pod")


@pytest.mark.parametrize("decode", [decode_object, decode_partial])
def test_what_is_wrong_in_labels_and_owners_is_an_error_at_the_first_touch_that_names_the_object(
    decode: Callable[..., Object | PartialObjectMeta],
) -> None:
    obj = decode(NO_LABELS, "v1", "Pod")
    assert (obj.name, obj.annotations) == ("web", {})
    for _ in range(2):
        with pytest.raises(Unreadable, match=r"metadata.labels of shop/web cannot be read"):
            _ = obj.labels
        with pytest.raises(Unreadable, match=r"metadata.ownerReferences of shop/web"):
            _ = obj.metadata.owner_references


@pytest.mark.parametrize(
    "raw", [BAD, DEEP, NO_TEXT, NO_LABELS], ids=["no JSON", "nested without end", "no text", "no labels"]
)
def test_in_strict_mode_every_byte_is_checked_when_it_comes(raw: bytes) -> None:
    source: StubSource[PartialObjectMeta] = StubSource(decode=decode_partial)
    decode = Machine(source, Config(strict=True), Vitals()).decode
    with pytest.raises(REFUSED):
        decode(raw, "v1", "Pod")


@pytest.mark.parametrize("decode", [decode_object, decode_partial])
@given(documents.filter(bool), documents)
def test_bytes_are_refused_that_go_on_behind_their_object_or_end_within_it(
    decode: Callable[..., Object | PartialObjectMeta], first: Pairs, second: Pairs
) -> None:
    """Who cuts objects out of a list or a frame by their looks goes by that."""
    one, two = (written(document, STYLES[0], ascii_only=False) for document in (first, second))
    whole = f"{one},{two}"
    ends = {place + 1 for place, byte in enumerate(whole) if byte == "}"} - {len(one)}
    for end in ends:
        if whole[end : end + 2] in (',"', ",{") and _outside(whole[:end]):
            with pytest.raises(REFUSED):
                decode(whole[:end].encode("utf-8", "surrogatepass"), "v1", "Foo")


def _outside(text: str) -> bool:
    """Whether a text that begins outside of a string ends there."""
    return text.replace("\\\\", "").replace('\\"', "").count('"') % 2 == 0
