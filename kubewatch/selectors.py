"""Label and field selectors: text or mapping in, checked; `matches` and canonical text out.

The grammar and the rules for keys and values are those of the API server, so that what passes here is understood there
and what it would refuse is refused before a request is made.
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec

from .errors import InvalidInput

Operator = Literal["=", "!=", "in", "notin", "exists", "!", ">", "<"]

_INT64_MAX = 2**63 - 1
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_TOKEN = re.compile(r"(?P<symbol>==|!=|[=!(),<>])|(?P<word>[^ \t\r\n=!(),<>]+)")

_LABEL_HELP = "write key=value, key!=value, key in (a,b), key notin (a,b), key or !key, joined by commas"
_FIELD_HELP = "write field=value or field!=value, joined by commas, with \\\\ \\, \\= for a literal backslash, comma, ="


class Requirement(msgspec.Struct, frozen=True, gc=False):
    """One condition of a label selector; `values` are sorted and distinct, none for `exists` and `!`."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` meet this condition; a missing key meets `!=`, `notin` and `!` only."""
        value = labels.get(self.key)
        operator = self.operator
        if operator == "=" or operator == "in":
            return value in self.values
        if operator == "!=" or operator == "notin":
            return value not in self.values
        if operator == "exists" or operator == "!":
            return (value is not None) == (operator == "exists")
        number, limit = _int64(value), int(self.values[0])
        return number is not None and (number > limit if operator == ">" else number < limit)

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


class LabelSelector(msgspec.Struct, frozen=True, gc=False):
    """A conjunction of requirements; an empty one matches everything.

    >>> selector = parse_labels("app in (web, api), !canary")
    >>> selector.matches({"app": "web"}), selector.matches({"app": "db"})
    (True, False)
    >>> str(selector)
    'app in (api,web),!canary'
    """

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def of(cls, source: str | Mapping[str, Any] | LabelSelector) -> LabelSelector:
        """Make a selector of its text, of a mapping of labels, or of a `matchLabels`/`matchExpressions` mapping.

        >>> str(LabelSelector.of({"app": "web", "tier": "front"}))
        'app=web,tier=front'
        >>> str(LabelSelector.of({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]}))
        'app in (api,web)'

        Raises `InvalidInput`. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/
        """
        if isinstance(source, LabelSelector):
            return source
        if isinstance(source, str):
            return parse_labels(source)
        if not isinstance(source, Mapping):
            raise InvalidInput(f"a label selector is text or a mapping, not {type(source).__name__}; {_LABEL_HELP}")
        if set(source) <= {"matchLabels", "matchExpressions"} and not any(isinstance(p, str) for p in source.values()):
            return cls(tuple(_from_object(source)))
        return cls(tuple(_equal(key, value) for key, value in source.items()))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` meet every requirement."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def to_dict(self) -> dict[str, Any]:
        """The `matchLabels`/`matchExpressions` form, as in a Deployment's `spec.selector`; `!=` becomes `NotIn`.

        Raises `InvalidInput` for `>` and `<`, which that form cannot say.
        """
        labels: dict[str, str] = {}
        expressions: list[dict[str, Any]] = []
        for requirement in self.requirements:
            key, operator, values = requirement.key, requirement.operator, list(requirement.values)
            if operator == "=" and key not in labels:
                labels[key] = values[0]
            elif operator in (">", "<"):
                raise InvalidInput(f"{str(requirement)!r} has no matchExpressions form; list the values with In")
            elif operator in ("exists", "!"):
                expressions.append({"key": key, "operator": "Exists" if operator == "exists" else "DoesNotExist"})
            else:
                name = "In" if operator in ("=", "in") else "NotIn"
                expressions.append({"key": key, "operator": name, "values": values})
        return ({"matchLabels": labels} if labels else {}) | ({"matchExpressions": expressions} if expressions else {})

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


class FieldRequirement(msgspec.Struct, frozen=True, gc=False):
    """One condition of a field selector."""

    field: str
    operator: Literal["=", "!="]
    value: str

    def __str__(self) -> str:
        return self.field + self.operator + re.sub(r"([\\,=])", r"\\\1", self.value)


class FieldSelector(msgspec.Struct, frozen=True, gc=False):
    """A conjunction of field requirements; an empty one matches everything.

    >>> selector = parse_fields("status.phase!=Running,spec.nodeName==worker-1")
    >>> str(selector)
    'status.phase!=Running,spec.nodeName=worker-1'
    >>> selector.matches({"status.phase": "Pending", "spec.nodeName": "worker-1"})
    True
    """

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether `fields` (dotted field name to text) meet every requirement; a missing field counts as empty."""
        return all((fields.get(r.field, "") == r.value) == (r.operator == "=") for r in self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


def parse_labels(text: str) -> LabelSelector:
    """Read a label selector as kubectl's `-l` does.

    >>> parse_labels("app=web,tier notin (cache)").matches({"app": "web"})
    True

    Raises `InvalidInput` naming the position and the mend.
    """
    return _LabelParser(text).parse()


def parse_fields(text: str) -> FieldSelector:
    r"""Read a field selector as kubectl's `--field-selector` does; `\,` `\=` and `\\` stand for themselves in values.

    >>> parse_fields("metadata.name=web").requirements[0].value
    'web'

    Which fields a kind can be selected by, only the server knows. Raises `InvalidInput` naming position and mend.
    """
    if not isinstance(text, str):
        raise InvalidInput(f"a field selector is text, not {type(text).__name__}; {_FIELD_HELP}")
    terms = re.finditer(r"(?:[^\\,]|\\.|\\$)+", text, re.DOTALL)
    return FieldSelector(tuple(_field_requirement(text, term.start(), term[0]) for term in terms))


def key_error(key: str) -> str | None:
    """What is wrong with a label's key, or None; `example.com/name` and `name` are right."""
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix)):
        return f"{prefix!r} is no label prefix: a DNS name of at most 253 lower-case letters, digits, '-' and '.'"
    if not (len(name) <= 63 and _NAME.fullmatch(name)):
        return f"{key!r} is no label key: at most 63 of A-Z, a-z, 0-9, '-', '_', '.', first and last alphanumeric"
    return None


def value_error(value: str) -> str | None:
    """What is wrong with a label's value, or None; the empty value is right."""
    if value and not (len(value) <= 63 and _NAME.fullmatch(value)):
        return f"{value!r} is no label value: at most 63 of A-Z, a-z, 0-9, '-', '_', '.', first and last alphanumeric"
    return None


def _field_requirement(text: str, start: int, term: str) -> FieldRequirement:
    operator = re.search(r"!=|==|=", term)
    if operator is None:
        raise _refused("field", text, start, f"{term!r} has no operator")
    field, value = term[: operator.start()], term[operator.end() :]
    if not re.fullmatch(r"[^\s\\!]+", field):
        raise _refused("field", text, start, f"{field!r} is no field name")
    at = len(re.match(r"(?:[^\\=]|\\[\\,=])*", value)[0])  # type: ignore[index]  # it always matches: * allows none
    if at < len(value):
        position = start + operator.end() + at
        raise _refused("field", text, position, f"{value[at : at + 2]!r} must be escaped with a backslash")
    return FieldRequirement(
        field, "!=" if operator[0] == "!=" else "=", re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
    )


class _LabelParser:
    """Recursive descent over the tokens of one selector; a token is (text, position, whether a word)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [(m[0], m.start(), m.lastgroup == "word") for m in _TOKEN.finditer(text)]
        self.tokens.append(("", len(text), False))
        self.at = 0

    def parse(self) -> LabelSelector:
        if not self.peek() and len(self.tokens) == 1:
            return LabelSelector()
        requirements = [self.requirement()]
        while self.take(","):
            requirements.append(self.requirement())
        if self.peek():
            raise self.refused("',' or the end")
        return LabelSelector(tuple(requirements))

    def requirement(self) -> Requirement:
        absent = self.take("!")
        key = self.word("a label key", key_error)
        if absent:
            return Requirement(key, "!")
        match operator := self.peek():
            case "" | ",":
                return Requirement(key, "exists")
            case "in" | "notin":
                self.at += 1
                return Requirement(key, operator, self.value_set())
            case "=" | "==" | "!=":
                self.at += 1
                return Requirement(key, "!=" if operator == "!=" else "=", (self.value(),))
            case ">" | "<":
                self.at += 1
                return Requirement(key, operator, (self.word("a whole number", _integer_error),))
            case _:
                raise self.refused("an operator")

    def value_set(self) -> tuple[str, ...]:
        if not self.take("("):
            raise self.refused("'('")
        values = {self.value()}
        while self.take(","):
            values.add(self.value())
        if not self.take(")"):
            raise self.refused("',' or ')'")
        return tuple(sorted(values))

    def value(self) -> str:
        """A value, which may be empty: before a comma, a closing parenthesis and the end there is an empty one."""
        return "" if self.peek() in ("", ",", ")") else self.word("a value", value_error)

    def word(self, what: str, error_of: Callable[[str], str | None]) -> str:
        text, position, is_word = self.tokens[self.at]
        if not is_word:
            raise self.refused(what)
        error = error_of(text)
        if error is not None:
            raise _refused("label", self.text, position, error)
        self.at += 1
        return text

    def peek(self) -> str:
        return self.tokens[self.at][0]

    def take(self, symbol: str) -> bool:
        taken = self.peek() == symbol
        self.at += taken
        return taken

    def refused(self, expected: str) -> InvalidInput:
        text, position, _ = self.tokens[self.at]
        return _refused("label", self.text, position, f"expected {expected}, found {repr(text) if text else 'the end'}")


def _refused(kind: Literal["label", "field"], text: str, position: int, problem: str) -> InvalidInput:
    mend = _LABEL_HELP if kind == "label" else _FIELD_HELP
    return InvalidInput(f"{kind} selector {text!r}, position {position}: {problem}; {mend}")


def _integer_error(value: str) -> str | None:
    if _int64(value) is None:
        return f"{value!r} is no whole number, which > and < compare with"
    return value_error(value)


def _int64(value: str | None) -> int | None:
    if value is None or not _INTEGER.fullmatch(value):
        return None
    number = int(value)
    return number if -_INT64_MAX - 1 <= number <= _INT64_MAX else None


def _equal(key: Any, value: Any) -> Requirement:
    return Requirement(_checked(key, key_error), "=", (_checked(value, value_error),))


def _checked(text: Any, error_of: Callable[[str], str | None]) -> str:
    if not isinstance(text, str):
        raise InvalidInput(f"label selector: {text!r} is {type(text).__name__}, not text; put it in quotes")
    error = error_of(text)
    if error is not None:
        raise InvalidInput(f"label selector: {error}")
    return text


def _from_object(source: Mapping[str, Any]) -> Iterable[Requirement]:
    """The requirements of a LabelSelector object, as found in manifests."""
    for key, value in _mapping(source.get("matchLabels") or {}).items():
        yield _equal(key, value)
    for expression in map(_mapping, _list(source.get("matchExpressions") or ())):
        key = _checked(expression.get("key"), key_error)
        values = tuple(sorted({_checked(value, value_error) for value in _list(expression.get("values") or ())}))
        match expression.get("operator"):
            case "In" | "NotIn" as operator if values:
                yield Requirement(key, "in" if operator == "In" else "notin", values)
            case "Exists" | "DoesNotExist" as operator if not values:
                yield Requirement(key, "exists" if operator == "Exists" else "!")
            case operator:
                raise InvalidInput(
                    f"label selector, expression on {key!r}: operator {operator!r} with {len(values)} values; "
                    "write In or NotIn with values, Exists or DoesNotExist without"
                )


def _mapping(part: Any) -> Mapping[str, Any]:
    if not isinstance(part, Mapping):
        raise InvalidInput(f"label selector: {part!r} is {type(part).__name__}, not a mapping")
    return part


def _list(part: Any) -> Iterable[Any]:
    # A text is iterable, too: of a value that was not put in brackets it would make its letters.
    if isinstance(part, (str, Mapping)) or not isinstance(part, Iterable):
        raise InvalidInput(f"label selector: {part!r} is {type(part).__name__}, not a list")
    return part
