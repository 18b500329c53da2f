"""What `kubewatch wait --for=…` may ask for, in kubectl's syntax, as conditions."""

from __future__ import annotations

import re
from typing import Any

from kubewatch.conditions import Condition, has_condition, is_created, is_rolled_out
from kubewatch.errors import InvalidInput, KubewatchError
from kubewatch.printing import json_path


class Unmet(KubewatchError):
    """What was waited for cannot be told of this object, or it is not there."""


@Condition
def is_gone(obj: Any) -> bool:
    """Stands for the deletion of an object; which uid that is about is found out for each."""
    return obj is None


_WORDS = {"create": is_created, "delete": is_gone, "rollout": is_rolled_out}

# {path}=value, or path=value; in a path without braces, `==` and the like belong to it.
_PATH = re.compile(r"(?:\{([^{}]+)\}|((?:[=!<>]=|[^={}])+))(?:=(?P<value>.*))?", re.DOTALL)


def goal(text: str) -> Condition[Any]:
    """The condition that `text` asks for; raises InvalidInput.

    >>> goal("condition=Ready=false"), goal("create"), goal("jsonpath={.status.phase}=Running")
    (has_condition('Ready', 'false'), is_created, has_value('.status.phase', 'Running'))
    """
    kind, equals, rest = text.partition("=")
    if not equals and kind.lower() in _WORDS:
        return _WORDS[kind.lower()]
    if kind == "condition" and rest:
        type_, equals, status = rest.partition("=")
        return has_condition(type_, status if equals else "True")
    if kind == "jsonpath" and rest:
        return _of_path(rest)
    raise InvalidInput(
        f"unrecognized condition: {text!r}. Write create, delete, rollout, condition=Ready, condition=Ready=False, "
        "jsonpath='{.status.phase}'=Running, or jsonpath='{.status.phase}' for any value"
    )


def _of_path(text: str) -> Condition[Any]:
    match = _PATH.fullmatch(text)
    value = match and match["value"]
    if match is None or (value is not None and (not value.strip("'\" ") or value.startswith("="))):
        raise InvalidInput(f"{text!r} is no JSONPath with a value behind it, such as '{{.status.phase}}'=Running")
    path = (match[1] or match[2]).strip()
    if path[0] not in ".[$":
        path = f".{path}"
    try:
        json_path.every({}, path)
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    return has_value(path, value and value.strip("'\"").strip())


def has_value(path: str, value: str | None) -> Condition[Any]:
    """`path` finds one value in the object, and this one; None for any. Raises Unmet for what cannot be compared."""

    def test(obj: Any) -> bool:
        found = json_path.every(obj.to_dict(), path) if obj is not None else []
        if not found:
            return False
        if len(found) > 1:
            raise Unmet("given jsonpath expression matches more than one value")
        if value is None:
            return True
        if isinstance(found[0], (dict, list)):
            raise Unmet("jsonpath leads to a nested object or list which is not supported")
        return _text(found[0]).strip() == value

    return Condition(test, f"has_value({path!r}, {value!r})")


def _text(value: Any) -> str:
    """A value as Go prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(value).removesuffix(".0")
    return "<nil>" if value is None else str(value)
