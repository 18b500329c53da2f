"""The messages in which Kubernetes writes metadata, as classes of the protobuf package.

They are built here from the numbers of their fields, which never change. A message may be declared more than once, with
no more fields than its reader wants: the others are passed over.
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

__all__ = ["DecodeError", "Message", "reader", "shown"]

# A message a line: its name, and of each field the number, the name, and the type; * is for any number of values, ? for
# a field that may be absent where that is not the same as 0. A text is for `shown`: the server keeps what it was sent,
# UTF-8 or not, and what the package makes of the latter depends on how it was built.
# What Kubernetes declares as bytes that hold a message (Unknown.raw) is declared as that message, which reads the same.
_MESSAGES = """
WatchEvent:     1 type text, 2 object RawExtension
RawExtension:   1 raw bytes
TypeMeta:       1 apiVersion text, 2 kind text

Unknown:        1 typeMeta TypeMeta, 2 raw bytes
Named:          1 typeMeta TypeMeta, 2 raw NamedObject
NamedObject:    1 metadata Names
Names:          1 name text, 3 namespace text, 6 resourceVersion text

Partial:        1 typeMeta TypeMeta, 2 raw PartialObjectMetadata
PartialObjectMetadata: 1 metadata ObjectMeta
ObjectMeta:     1 name text, 2 generateName text, 3 namespace text, 4 selfLink text, 5 uid text,\
 6 resourceVersion text, 7 generation int64, 8 creationTimestamp Time, 9 deletionTimestamp Time,\
 10 deletionGracePeriodSeconds int64?, 11 labels Entry*, 12 annotations Entry*, 13 ownerReferences OwnerReference*,\
 14 finalizers text*, 17 managedFields ManagedFieldsEntry*
Entry:          1 key text, 2 value text
Time:           1 seconds int64?, 2 nanos int32
OwnerReference: 1 kind text, 3 name text, 4 uid text, 5 apiVersion text, 6 controller bool?,\
 7 blockOwnerDeletion bool?
ManagedFieldsEntry: 1 manager text, 2 operation text, 3 apiVersion text, 4 time Time, 6 fieldsType text,\
 7 fieldsV1 FieldsV1, 8 subresource text
FieldsV1:       1 raw bytes

ListMeta:       1 selfLink text, 2 resourceVersion text, 3 continue text, 4 remainingItemCount int64?

Status:         1 metadata ListMeta, 2 status text, 3 message text, 4 reason text, 5 details StatusDetails,\
 6 code int32
StatusDetails:  1 name text, 2 group text, 3 kind text, 4 causes StatusCause*, 5 retryAfterSeconds int32,\
 6 uid text
StatusCause:    1 reason text, 2 message text, 3 field text
"""

_PACKAGE = "kubewatch"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "text": _Field.TYPE_BYTES,
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
}


def _pool() -> descriptor_pool.DescriptorPool:
    # Theirs are proto2, which is written in the same way.
    file = descriptor_pb2.FileDescriptorProto(name="kubewatch.proto", package=_PACKAGE, syntax="proto3")
    for line in filter(None, _MESSAGES.splitlines()):
        name, _, fields = line.partition(":")
        message = file.message_type.add(name=name)
        for words in fields.split(","):
            number, called, kind = words.split()
            field = message.field.add(name=called, number=int(number), label=_Field.LABEL_OPTIONAL)
            if kind.endswith("*"):
                field.label = _Field.LABEL_REPEATED
            if kind.endswith("?"):
                field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{called}")
            kind = kind.rstrip("*?")
            field.type = _SCALARS.get(kind, _Field.TYPE_MESSAGE)
            if kind not in _SCALARS:
                field.type_name = f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()  # of our own: others may know messages of the same names
    pool.Add(file)
    return pool


_POOL = _pool()


def reader(name: str) -> Callable[[bytes], Any]:
    """What reads the message called `name` from its bytes; it raises `DecodeError`.

    >>> reader("TypeMeta")(bytes([18, 3]) + b"Pod").kind
    b'Pod'
    """
    return GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}")).FromString


def shown(text: bytes) -> str:
    r"""What Go's JSON makes of a text: each byte that is no UTF-8 becomes the character U+FFFD.

    >>> shown(b"na\xc3\xafve"), shown(b"na\xefve")
    ('naïve', 'na\ufffdve')
    """
    try:
        return text.decode()
    except UnicodeDecodeError:
        marked = text.decode(errors="surrogateescape")  # a surrogate for each such byte
        return "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in marked)
