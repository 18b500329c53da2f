"""Bytes to the classes that users bring: official models, msgspec Structs, dataclasses, pydantic models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import msgspec

from .errors import InvalidInput

T = TypeVar("T")


def model_decoder(model: type[T]) -> Callable[[bytes], T]:
    """A function that makes a `model` of an object's JSON; raises InvalidInput for a class of no known sort.

    >>> class Web(msgspec.Struct):
    ...     spec: dict[str, int]
    >>> model_decoder(Web)(b'{"spec": {"replicas": 2}}').spec
    {'replicas': 2}
    """
    cls: Any = model
    if not isinstance(cls, type):
        raise InvalidInput(f"a model must be a class, not {cls!r}")
    if issubclass(cls, msgspec.Struct) or dataclasses.is_dataclass(cls):
        return cast("Callable[[bytes], T]", msgspec.json.Decoder(cls).decode)
    if hasattr(cls, "from_json"):  # official models from 37 on
        return lambda raw: cast(T, cls.from_json(raw.decode()))
    if hasattr(cls, "openapi_types"):  # official models up to 36
        from kubernetes.client import api_client

        client: Any = api_client.ApiClient()
        # What it deserialises is a response: anything with `.data`.
        return lambda raw: cast(T, client.deserialize(SimpleNamespace(data=raw.decode()), cls.__name__))
    if hasattr(cls, "model_validate_json"):  # pydantic
        return lambda raw: cast(T, cls.model_validate_json(raw))
    raise InvalidInput(
        f"{cls.__name__} is no model: bring a msgspec.Struct, a dataclass, a pydantic or an official model"
    )


def decode_model(model: type[T]) -> Callable[[bytes, str, str], T]:
    """Like `model_decoder`, in the shape of `kubewatch.decode.Decode`."""
    decode = model_decoder(model)
    if not hasattr(model, "openapi_types"):
        return lambda raw, api_version, kind: decode(raw)

    def official(raw: bytes, api_version: str, kind: str) -> T:
        # The items of a list come without the two, and a reference made of them must be that of the watched object.
        obj: Any = decode(raw)
        obj.api_version, obj.kind = obj.api_version or api_version or None, obj.kind or kind or None
        return cast(T, obj)

    return official
