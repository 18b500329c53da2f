"""`-f FILE`: which objects manifests are of."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from kubewatch.errors import InvalidInput

Word = Annotated[str, msgspec.Meta(min_length=1)]


class Identity(msgspec.Struct):
    """What tells an object apart from others of its kind; without a namespace it is in whichever is meant."""

    name: Word
    namespace: str | None = None


class Manifest(msgspec.Struct, rename="camel"):
    """What a manifest says of which object it is of."""

    api_version: Word
    kind: Word
    metadata: Identity


def manifests_in(files: Iterable[str]) -> list[Manifest]:
    """All manifests of YAML or JSON files, in their order, those within a List included; `-` is the standard input.

    Raises InvalidInput, also for a file without any.
    """
    return [manifest for file in files for manifest in _manifests(file)]


def _manifests(file: str) -> list[Manifest]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        documents = list(yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        found = [msgspec.convert(each, Manifest) for document in documents for each in _items(document)]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}") from error
    if not found:
        raise InvalidInput(f"{file} has no object in it")
    return found


def _items(document: Any) -> Iterator[Any]:
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _items(item)
    elif document is not None:  # what stands between two ---
        yield document
