"""Label and field selectors: what they match, and what is no selector."""

from __future__ import annotations

import pytest

from kubewatch.testing.apiserver.selectors import parse_fields, parse_labels
from kubewatch.testing.apiserver.status import ApiError

WEB = {"app": "web", "tier": "front", "size": "7", "example.com/owner": "me", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=db", True),
        ("app!=web", False),
        ("missing!=x", True),
        ("app in (web, db)", True),
        ("app in (db)", False),
        ("app notin (db,cache)", True),
        ("missing notin (x)", True),
        ("app", True),
        ("missing", False),
        ("!missing", True),
        ("!app", False),
        ("size>6", True),
        ("size > 7", False),
        ("size<8", True),
        ("app>1", False),
        ("empty=", True),
        ("empty in ()", True),
        ("app=web,tier=front", True),
        ("app=web,tier=back", False),
        ("app = web , !canary, tier in (front,back)", True),
        ("example.com/owner=me", True),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    assert parse_labels(text).matches(WEB) is matches


@pytest.mark.parametrize(
    "text",
    ["a=b=c", ",", "a,", "a in b", "a in (b", "a b", "=a", "a>x", "a!", "!", "a=-b", "-a=b", "in (x)", "(", "a=b,,c"],
)
def test_what_is_no_label_selector_is_a_bad_request(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_labels(text)
    assert (refused.value.code, refused.value.reason) == (400, "BadRequest")


def known(name: str) -> str:
    assert name in ("metadata.name", "status.phase"), name
    return name


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=web-0", True),
        ("metadata.name==web-0", True),
        ("metadata.name!=web-0", False),
        ("metadata.name=web-0,status.phase=Running", True),
        ("metadata.name=web-0,status.phase!=Running", False),
        ("status.phase=", False),
    ],
)
def test_field_selectors(text: str, matches: bool) -> None:
    assert parse_fields(text, known).matches({"metadata.name": "web-0", "status.phase": "Running"}) is matches


def test_values_of_fields_may_be_escaped() -> None:
    assert parse_fields(r"status.phase=a\,b\=c\\d", known).matches({"status.phase": r"a,b=c\d"})


def test_a_field_selector_without_an_operator_is_a_bad_request() -> None:
    with pytest.raises(ApiError, match=r"can't understand 'metadata\.name'"):
        parse_fields("metadata.name", known)
