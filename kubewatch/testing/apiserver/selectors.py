"""Label and field selectors as the API server reads them: text in, predicates out, 400 for bad syntax."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .status import bad_request

_TOKEN = re.compile(r"\s*(?:(==|!=|=|!|,|\(|\)|<|>)|([^\s=!,()<>]+))")
_KEY = re.compile(r"^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
_VALUE = re.compile(r"^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
_KEY_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_OPERATORS = frozenset(("=", "==", "!=", "!", ",", "(", ")", "<", ">"))
_BARE_LABEL_OPERATORS = frozenset(("=", "==", "!=", "<", ">"))


@dataclass(frozen=True)
class Requirement:
    """One term of a selector: ``operator`` is one of in, notin, exists, absent, greater, less."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, have: Mapping[str, str]) -> bool:
        value = have.get(self.key)
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        try:
            number, limit = int(value or ""), int(next(iter(self.values)))
        except ValueError:
            return False
        return number > limit if self.operator == "greater" else number < limit


@dataclass(frozen=True)
class Selector:
    """Every requirement has to hold; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.requirements)

    def matches(self, have: Mapping[str, str]) -> bool:
        return all(requirement.matches(have) for requirement in self.requirements)


EVERYTHING = Selector()


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise bad_request(f"unable to parse requirement: unexpected {text[at:]!r}")
        tokens.append(match.group(1) or match.group(2))
        at = match.end()
    return tokens


class _LabelParser:
    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def requirements(self) -> Iterable[Requirement]:
        while self.peek():
            if not _identifies(self.peek()) and self.peek() != "!":
                raise self.misplaced(self.peek(), "!, identifier, or 'end of string'")
            yield self.requirement()
            if self.peek() == ",":
                self.take()
                if not _identifies(self.peek()) and self.peek() != "!":
                    raise self.misplaced(self.peek(), "identifier after ','")
            elif self.peek():
                raise self.misplaced(self.peek(), "',' or 'end of string'")

    def requirement(self) -> Requirement:
        if self.peek() == "!":
            self.take()
            return Requirement(self.key(), "absent")
        key = self.key()
        operator = self.peek()
        if operator in ("", ","):
            return Requirement(key, "exists")
        self.take()
        if operator in ("in", "notin"):
            return Requirement(key, operator, frozenset(self.value_set()))
        if operator not in _BARE_LABEL_OPERATORS:
            raise self.unparsable(operator, "in, notin, =, ==, !=, gt, lt")
        value = "" if self.peek() in ("", ",") else self.value()
        if operator in ("<", ">"):
            if not re.fullmatch(r"-?\d+", value):
                rule = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise bad_request(f"unable to parse requirement: values[0]: Invalid value: {value!r}: {rule}")
            return Requirement(key, "greater" if operator == ">" else "less", frozenset((value,)))
        return Requirement(key, "notin" if operator == "!=" else "in", frozenset((value,)))

    def key(self) -> str:
        key = self.take()
        if not _identifies(key):
            raise self.unparsable(key, "identifier")
        if not _KEY.match(key):
            raise bad_request(f'unable to parse requirement: key: Invalid value: "{key}": {_KEY_RULE}')
        return key

    def value(self) -> str:
        value = self.take()
        if not _VALUE.match(value):
            raise bad_request(f'unable to parse requirement: values[0][key]: Invalid value: "{value}": {_VALUE_RULE}')
        return value

    def value_set(self) -> Iterable[str]:
        opening = self.take()
        if opening != "(":
            raise bad_request(f"unable to parse requirement: found '{opening}' expected: '('")
        while True:
            yield "" if self.peek() in (",", ")") else self.value()
            closing = self.take()
            if closing == ")":
                return
            if closing != ",":
                raise self.unparsable(closing, "',' or ')'")

    @staticmethod
    def misplaced(found: str, expected: str) -> Exception:
        return bad_request(f"found '{found}', expected: {expected}")

    @staticmethod
    def unparsable(found: str, expected: str) -> Exception:
        return bad_request(f"unable to parse requirement: found '{found}', expected: {expected}")


def _identifies(token: str) -> bool:
    return bool(token) and token not in _OPERATORS


def parse_labels(text: str) -> Selector:
    """Reads a label selector such as ``app=web,tier in (a, b),!canary``; raises a 400 ``ApiError`` on bad syntax."""
    return Selector(tuple(_LabelParser(text).requirements())) if text.strip() else EVERYTHING


def _split_unescaped(text: str, separator: str) -> list[str]:
    parts, part, escaped = [], "", False
    for character in text:
        if escaped:
            part, escaped = part + character, False
        elif character == "\\":
            part, escaped = part + character, True
        elif character == separator:
            parts.append(part)
            part = ""
        else:
            part += character
    return [*parts, part]


def _field_requirement(term: str) -> Requirement:
    found = re.search(r"(?<!\\)(==|!=|=)", term)
    if found is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    value = re.sub(r"\\([\\,=])", r"\1", term[found.end() :])
    return Requirement(term[: found.start()], "notin" if found.group() == "!=" else "in", frozenset((value,)))


def parse_fields(text: str, supported: Callable[[str], str]) -> Selector:
    """Reads a field selector; ``supported`` returns the name under which a field is stored, or raises."""
    terms = [term for term in _split_unescaped(text, ",") if term]
    parsed = [_field_requirement(term) for term in terms]
    return Selector(tuple(Requirement(supported(one.key), one.operator, one.values) for one in parsed))
