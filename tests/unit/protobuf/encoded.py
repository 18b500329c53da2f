"""Metadata as Go writes them in protobuf, by the table that was made from its sources; and as its JSON has them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import msgspec
from hypothesis import strategies as st

from kubewatch.testing.apiserver.protobuf import table
from tests.unit.testing.apiserver.protobuf_encoder import encode, envelope, field

Json = dict[str, Any]

# Messages that are given encoded.
MESSAGES = {name: fields for name, fields in table().messages.items() if name.startswith("meta.v1.")}

META = "meta.k8s.io/v1"
PARTIAL = "PartialObjectMetadata"

_TEXTS = ("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion")


def partial(meta: Json) -> Json:
    """The JSON of an object of which these are the metadata."""
    return {"kind": PARTIAL, "apiVersion": META, "metadata": meta}


def message(meta: Json, *, zeros: bool = True, more: bytes = b"") -> bytes:
    """The message that such an object is; with `zeros` as Go writes it, empty texts too; `more` comes at the end."""
    ready: Json = (dict.fromkeys(_TEXTS, "") | {"generation": 0, "creationTimestamp": None} if zeros else {}) | meta
    for name in ("creationTimestamp", "deletionTimestamp"):
        if name in meta or (zeros and name == "creationTimestamp"):
            ready[name] = _time(ready[name])
    ready["managedFields"] = [
        entry
        | ({"time": _time(entry["time"])} if "time" in entry else {})
        | ({"fieldsV1": field(1, msgspec.json.encode(entry["fieldsV1"]))} if "fieldsV1" in entry else {})
        for entry in meta.get("managedFields", [])
    ]
    return field(1, encode("meta.v1.ObjectMeta", ready, MESSAGES) + more)


def enveloped(meta: Json, *, zeros: bool = True, more: bytes = b"") -> bytes:
    """The same in its envelope, as the server sends one object."""
    return envelope(META, PARTIAL, message(meta, zeros=zeros, more=more))


def frame(type_: str, raw: bytes) -> bytes:
    """A frame of a watch, behind its length."""
    event = field(1, type_) + field(2, field(1, raw))
    return len(event).to_bytes(4, "big") + event


def protobuf_list(*items: Json, version: str = "", continue_: str = "", remaining: int | None = None) -> bytes:
    """A page of a list."""
    meta = field(1, "") + field(2, version) + field(3, continue_)
    if remaining is not None:
        meta += field(4, remaining)
    body = field(1, meta) + b"".join(field(2, message(item)) for item in items)
    return envelope(META, f"{PARTIAL}List", body)


def status(**details: Any) -> bytes:
    """The Status that says that a version is too old."""
    body = field(1, field(1, "")) + field(2, "Failure") + field(3, "too old resource version: 1 (9)")
    body += field(4, "Expired") + field(6, 410)
    if "retry" in details:
        cause = field(4, field(1, "Reason") + field(2, "why"))
        body += field(5, field(1, "pods") + cause + field(5, details["retry"]))
    return envelope("v1", "Status", body)


def _time(text: str | None) -> bytes:
    # One that is none has no fields.
    return (
        b""
        if text is None
        else field(1, int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())) + field(2, 0)
    )


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=fields)


texts = st.text(max_size=8)
words = st.text(min_size=1, max_size=8)
times = st.datetimes(
    datetime(1, 1, 2),
    datetime(9999, 12, 30),
    timezones=st.just(timezone.utc),
).map(lambda time: time.replace(microsecond=0).isoformat().replace("+00:00", "Z"))
fields_v1: st.SearchStrategy[Json] = st.recursive(
    st.just({}), lambda inner: st.dictionaries(texts.map(lambda name: f"f:{name}"), inner, max_size=3), max_leaves=4
)
owners = st.builds(
    lambda one, two: one | two,
    st.fixed_dictionaries({"apiVersion": texts, "kind": texts, "name": texts, "uid": texts}),
    _optional(controller=st.booleans(), blockOwnerDeletion=st.booleans()),
)
managers = _optional(
    manager=words,
    operation=words,
    apiVersion=words,
    time=times,
    fieldsType=words,
    fieldsV1=fields_v1,
    subresource=words,
)
metadata = st.builds(
    lambda one, two: one | two,
    st.fixed_dictionaries({"name": words, "resourceVersion": words}),
    _optional(
        generateName=words,
        namespace=words,
        selfLink=words,
        uid=words,
        generation=st.integers(1, 2**63 - 1),
        creationTimestamp=times,
        deletionTimestamp=times,
        deletionGracePeriodSeconds=st.integers(0, 2**63 - 1),
        labels=st.dictionaries(texts, texts, min_size=1, max_size=3),
        annotations=st.dictionaries(texts, texts, min_size=1, max_size=3),
        ownerReferences=st.lists(owners, min_size=1, max_size=2),
        finalizers=st.lists(texts, min_size=1, max_size=2),
        managedFields=st.lists(managers, min_size=1, max_size=2),
    ),
)
