"""What ``fieldValidation=Strict`` refuses: fields given twice, and those that a custom resource's schema does not know.

https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
"""

from __future__ import annotations

import json
from typing import Any

from . import structural
from .kinds import Resource
from .status import Json


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its fields, also those of the same name."""


def problems(resource: Resource, text: bytes, document: Json) -> list[str]:
    """What is wrong with an object, as strict decoding says it; ``text`` is the JSON that it was decoded from."""
    twice: dict[str, None] = {}
    _look_for_twins(json.loads(text, object_pairs_hook=_Pairs), "", twice)
    unknown = sorted(structural.prune(resource.schema, document)[1]) if resource.custom else []
    return [f'duplicate field "{path}"' for path in twice] + [f'unknown field "{path}"' for path in unknown]


def _look_for_twins(value: Any, path: str, twice: dict[str, None]) -> None:
    if isinstance(value, _Pairs):
        seen = set()
        for key, part in value:
            where = f"{path}.{key}" if path else key
            if key in seen:
                twice[where] = None
            seen.add(key)
            _look_for_twins(part, where, twice)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            _look_for_twins(part, f"{path}[{at}]", twice)
