"""Where the version of an object is found: of a model of the user's own it decides where a watch goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from kubewatch.metadata import ObjectMeta
from kubewatch.models import model_decoder
from kubewatch.versions import version_of

RAW = b'{"spec":{"resourceVersion":"1"},"metadata":{"name":"web","resourceVersion":"7"}}'


class AsWritten(msgspec.Struct):
    name: str
    resourceVersion: str


class Renamed(msgspec.Struct, rename="camel"):
    resource_version: str | None = None


class Named(msgspec.Struct):
    seen: str = msgspec.field(name="resourceVersion", default="")


class Another(msgspec.Struct):
    """Has a field of that name that is not the one of the JSON."""

    resource_version: str = "12"


class Invented(msgspec.Struct):
    resourceVersion: str = "12"


class Without(msgspec.Struct):
    name: str


class Numbered(msgspec.Struct, rename="camel"):
    resource_version: Any = None


@dataclass
class Data:
    name: str


@pytest.mark.parametrize(
    "metadata",
    [ObjectMeta, AsWritten, Renamed, Named, Another, Invented, Without, Numbered, Data, dict[str, str], Any],
    ids=str,
)
def test_the_version_of_a_model_is_that_of_its_json_whatever_it_keeps_of_it(metadata: Any) -> None:
    model = msgspec.defstruct("Model", [("metadata", metadata)])
    assert version_of(model_decoder(model)(RAW), RAW) == "7"


def test_the_version_of_a_model_without_metadata_is_that_of_its_json() -> None:
    model = msgspec.defstruct("Model", [("spec", dict[str, str])])
    assert version_of(model_decoder(model)(RAW), RAW) == "7"


@pytest.mark.parametrize("raw", [b'{"metadata":{"name":"a"}}', b'{"metadata":{"resourceVersion":""}}', b"{}"])
def test_json_without_a_version_has_none(raw: bytes) -> None:
    model = msgspec.defstruct("Model", [("metadata", Renamed | None, None)])
    assert version_of(model_decoder(model)(raw), raw) == ""
