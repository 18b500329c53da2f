"""The JSONPath of CRD printer columns and of ``wait``: fields, indexes, ``[*]``, filters such as ``[?(@.a=="b")]``.

https://kubernetes.io/docs/reference/kubectl/jsonpath/
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

Step = Callable[[Any], Iterator[Any]]

_TOKEN = re.compile(
    r"""
    \.(?P<field>(?:\\.|[^.\[\]\\])+)            # .field, dots in it escaped
    | \[\s*'(?P<quoted>(?:\\.|[^'\\])*)'\s*\]   # ['field']
    | \[\s*"(?P<double>(?:\\.|[^"\\])*)"\s*\]   # ["field"]
    | \[\s*(?P<index>-?\d+)\s*\]                # [0]
    | (?P<all>\[\s*\*\s*\]|\.\*)                # [*]
    | \[\?\(\s*(?P<left>@[^=!<>]*?)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<right>.+?)\s*)?\)\]   # [?(@.a == "b")]
    """,
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def first(value: Any, path: str) -> Any:
    """The first value that ``path`` finds in ``value``, None when it finds none.

    >>> first({"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    ...       '.status.conditions[?(@.type=="Ready")].status')
    'True'

    Raises ``ValueError`` for a path that is not understood.
    """
    return next(_walk(value, _steps(path)), None)


def every(value: Any, path: str) -> list[Any]:
    """All values that ``path`` finds in ``value``; raises ``ValueError`` for a path that is not understood.

    >>> every({"ips": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}]}, ".ips[*].ip")
    ['192.0.2.1', '192.0.2.2']
    """
    return list(_walk(value, _steps(path)))


def _walk(value: Any, steps: tuple[Step, ...]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    for found in steps[0](value):
        yield from _walk(found, steps[1:])


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise ValueError(f"unrecognized JSONPath {path!r} at {text[place:]!r}")
        steps.append(_step(token))
        place = token.end()
    return tuple(steps)


def _step(token: re.Match[str]) -> Step:
    parts = token.groupdict()
    if parts["all"]:
        return _all
    if parts["index"]:
        return _at(int(parts["index"]))
    if parts["left"]:
        return _where(parts["left"][1:], parts["op"], parts["right"])
    name = next(parts[key] for key in ("field", "quoted", "double") if parts[key] is not None)
    return _field(re.sub(r"\\(.)", r"\1", name))


def _all(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)):
        yield from value.values() if isinstance(value, dict) else value


def _field(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _at(index: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _where(left: str, op: str | None, right: str | None) -> Step:
    def matches(item: Any) -> bool:
        found = list(_walk(item, _steps(left)))
        if op is None or right is None:
            return bool(found)
        try:
            return bool(found) and _COMPARE[op](found[0], _literal(right))
        except TypeError:
            return False  # values of different types are neither greater nor smaller

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from (item for item in value if matches(item))

    return step


def _literal(text: str) -> Any:
    if text[0] in "'\"" and text[-1] == text[0]:
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text
