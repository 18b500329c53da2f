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


def manifests_in(files: Iterable[str], namespace: str | None) -> list[Manifest]:
    """All manifests of YAML or JSON files, in their order, those within a List included; `-` is the standard input.

    Raises InvalidInput, also for a file without any, and for an object that is in another namespace than `namespace`.
    """
    return [manifest for file in files for manifest in _manifests(file, namespace)]


def _manifests(file: str, namespace: str | None) -> list[Manifest]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        documents = list(yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        found = [msgspec.convert(each, Manifest) for document in documents for each in _items(document)]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError, RecursionError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}") from error
    if not found:
        raise InvalidInput(f"{file} has no object in it")
    for each in found:
        name, own = each.metadata.name, each.metadata.namespace
        if namespace and own and own != namespace:
            raise InvalidInput(f"{file}: {each.kind} {name!r} is in {own!r} by its manifest: leave out -n {namespace}")
    return found


def _items(document: Any) -> Iterator[Any]:
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _items(item)
    elif document is not None:  # what stands between two ---
        yield document
