"""Selectors: what the API server understands is understood; what it would refuse is refused, with place and mend."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewatch.errors import InvalidInput
from kubewatch.selectors import (
    FieldRequirement,
    FieldSelector,
    LabelSelector,
    Requirement,
    key_error,
    parse_fields,
    parse_labels,
    value_error,
)

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
KEYS = st.one_of(NAMES, st.builds("{}/{}".format, st.sampled_from(["example.com", "a", "x-1.y"]), NAMES))
VALUES = st.one_of(st.just(""), NAMES)
VALUE_SETS = st.sets(VALUES, min_size=1, max_size=4).map(lambda values: tuple(sorted(values)))
REQUIREMENTS = st.one_of(
    st.builds(Requirement, KEYS, st.sampled_from(["=", "!="]), st.tuples(VALUES)),
    st.builds(Requirement, KEYS, st.sampled_from(["in", "notin"]), VALUE_SETS),
    st.builds(Requirement, KEYS, st.sampled_from(["exists", "!"])),
    st.builds(Requirement, KEYS, st.sampled_from([">", "<"]), st.integers(0, 2**63 - 1).map(lambda n: (str(n),))),
)
SELECTORS = st.lists(REQUIREMENTS, max_size=5).map(lambda requirements: LabelSelector(tuple(requirements)))


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {}, True),
        ("", {"app": "web"}, True),
        ("app in (web,api)", {"app": "web"}, True),
        ("app in (web,api)", {"app": "db"}, False),
        ("app in (web,api)", {}, False),
        ("app notin (web,api)", {"app": "web"}, False),
        ("app notin (web,api)", {"app": "db"}, True),
        ("app notin (web,api)", {}, True),
        ("app=web", {"app": "web"}, True),
        ("app=web", {"app": "api"}, False),
        ("app=web", {}, False),
        ("app!=web", {"app": "web"}, False),
        ("app!=web", {"app": "api"}, True),
        ("app!=web", {}, True),
        ("app in (web,api),tier!=cache,env notin (test)", {"app": "api", "tier": "front"}, True),
        ("app in (web,api),tier!=cache,env notin (test)", {"app": "api", "tier": "cache"}, False),
        ("app in (web,api),tier!=cache,env notin (test)", {"app": "api", "env": "test"}, False),
        ("app=", {"app": ""}, True),
        ("app=", {}, False),
    ],
)
def test_raw_matches(text: str, labels: dict[str, str], matches: bool) -> None:
    """Row 106: In, NotIn, Equal, NotEqual and their conjunctions, also after the way through a LabelSelector object."""
    selector = parse_labels(text)
    assert selector.matches(labels) is matches
    assert LabelSelector.of(selector.to_dict()).matches(labels) is matches


def test_not_equal_becomes_not_in_with_one_value() -> None:
    """Row 106: a LabelSelector object has no inequality, and no equality twice on one key."""
    assert parse_labels("a=1,b!=2,c,!d").to_dict() == {
        "matchLabels": {"a": "1"},
        "matchExpressions": [
            {"key": "b", "operator": "NotIn", "values": ["2"]},
            {"key": "c", "operator": "Exists"},
            {"key": "d", "operator": "DoesNotExist"},
        ],
    }
    assert not LabelSelector.of(parse_labels("a=1,a=2").to_dict()).matches({"a": "1"})


def test_a_comparison_has_no_label_selector_object() -> None:
    with pytest.raises(InvalidInput, match="replicas>3"):
        parse_labels("replicas>3").to_dict()


@pytest.mark.parametrize(
    ("labels", "matches"),
    [
        ({"app": "web", "tier": "front"}, True),
        ({"app": "web", "tier": "back", "env": "prod"}, True),
        ({"app": "web"}, False),
        ({"app": "web", "tier": "cache"}, False),
        ({"app": "api", "tier": "front"}, False),
        ({"app": "web", "tier": "front", "env": "test"}, False),
        ({}, False),
    ],
)
def test_label_selector_matches(labels: dict[str, str], matches: bool) -> None:
    """Row 107: labels and expressions are ANDed; In fails on a missing key, NotIn passes."""
    selector = LabelSelector.of(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["front", "back"]},
                {"key": "env", "operator": "NotIn", "values": ["test"]},
                {"key": "app", "operator": "Exists"},
                {"key": "gone", "operator": "DoesNotExist"},
            ],
        }
    )
    assert selector.matches(labels) is matches


def test_an_empty_label_selector_object_matches_everything() -> None:
    empties: list[dict[str, object]] = [
        {},
        {"matchLabels": None},
        {"matchExpressions": []},
        {"matchLabels": {}, "matchExpressions": None},
    ]
    for empty in empties:
        assert LabelSelector.of(empty).matches({"any": "thing"})


def test_labels_may_be_called_like_the_parts_of_a_selector_object() -> None:
    assert str(LabelSelector.of({"matchLabels": "x"})) == "matchLabels=x"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("foo in (bar,baz)", "foo in (bar,baz)"),
        ("foo notin (baz,bar)", "foo notin (bar,baz)"),
        ("foo=bar", "foo=bar"),
        ("foo==bar", "foo=bar"),
        ("foo!=bar", "foo!=bar"),
        ("foo", "foo"),
        ("!foo", "!foo"),
        ("a=1,b in (z,y),!c", "a=1,b in (y,z),!c"),
        (" a = 1 ,\tb\nin ( z , y , z ) , ! c ", "a=1,b in (y,z),!c"),
        ("replicas>3,replicas<5", "replicas>3,replicas<5"),
        ("x in ()", "x in ()"),
        ("x in (,a)", "x in (,a)"),
        ("x in (a,,b,)", "x in (,a,b)"),
        ("a=,b", "a=,b"),
        ("in in (in,notin),notin", "in in (in,notin),notin"),
        ("example.com/app=web", "example.com/app=web"),
        ("", ""),
        ("   ", ""),
    ],
)
def test_to_string(text: str, canonical: str) -> None:
    """Row 108: one canonical text, requirements in their order, values sorted."""
    assert str(parse_labels(text)) == canonical


@given(SELECTORS)
def test_the_text_of_a_selector_reads_back_as_the_same_selector(selector: LabelSelector) -> None:
    assert parse_labels(str(selector)) == selector


@given(SELECTORS, st.dictionaries(KEYS, VALUES, max_size=5))
def test_the_object_of_a_selector_matches_the_same_labels(selector: LabelSelector, labels: dict[str, str]) -> None:
    plain = LabelSelector(tuple(r for r in selector.requirements if r.operator not in (">", "<")))
    assert LabelSelector.of(plain.to_dict()).matches(labels) is plain.matches(labels)


@given(st.text(alphabet="ab/.-=!(),<> inot1", max_size=20))
def test_any_text_is_either_a_selector_or_invalid_input_with_a_position(text: str) -> None:
    try:
        selector = parse_labels(text)
    except InvalidInput as error:
        position = int(str(error).rpartition("position ")[2].partition(":")[0])
        assert 0 <= position <= len(text)
    else:
        assert parse_labels(str(selector)) == selector


def test_comparisons_are_of_numbers_and_fail_where_there_is_none() -> None:
    above = parse_labels("size>9")
    assert above.matches({"size": "10"})
    assert not above.matches({"size": "9"})
    assert not above.matches({"size": "big"})
    assert not above.matches({})
    assert parse_labels("size<9").matches({"size": "8"})
    assert not parse_labels("size<9").matches({"size": str(2**63)})


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("app=web,", 8, "expected a label key, found the end"),
        (",app=web", 0, "expected a label key, found ','"),
        ("=web", 0, "expected a label key, found '='"),
        ("app web", 4, "expected an operator, found 'web'"),
        ("app=web api", 8, "expected ',' or the end, found 'api'"),
        ("app===web", 5, "expected a value, found '='"),
        ("!app=web", 4, "expected ',' or the end, found '='"),
        ("app in web", 7, r"expected '\(', found 'web'"),
        ("app in (web", 11, r"expected ',' or '\)', found the end"),
        ("app in (web api)", 12, r"expected ',' or '\)', found 'api'"),
        ("app in", 6, r"expected '\(', found the end"),
        ("app>", 4, "expected a whole number, found the end"),
        ("app>big", 4, "'big' is no whole number"),
        ("app>-1", 4, "'-1' is no label value"),
        ("app>9223372036854775808", 4, "is no whole number"),
        ("app=-web", 4, "'-web' is no label value"),
        ("ok,app=" + "x" * 64, 7, "is no label value: at most 63"),
        ("_app=web", 0, "'_app' is no label key"),
        ("Example.com/app", 0, "'Example.com' is no label prefix"),
        ("/app", 0, "'' is no label prefix"),
        ("a/b/app", 0, "'a/b' is no label prefix"),
        ("a/", 0, "is no label key"),
        ("app=wéb", 4, "is no label value"),
        ("app=web\x00", 4, "is no label value"),
    ],
)
def test_bad_label_selectors_are_refused_with_position_and_mend(text: str, position: int, problem: str) -> None:
    with pytest.raises(InvalidInput, match=f"position {position}: .*{problem}.*; write key=value"):
        parse_labels(text)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"app": 1}, "1 is int, not text; put it in quotes"),
        ({"app": None}, "None is NoneType, not text"),
        ({"-app": "web"}, "'-app' is no label key"),
        ({"app": "web!"}, "'web!' is no label value"),
        ({"matchLabels": {"app": True}}, "True is bool"),
        ({"matchExpressions": [{"key": "a", "operator": "In"}]}, "'In' with 0 values"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}, "'Exists' with 1 values"),
        ({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, "'Gt' with 1 values"),
        ({"matchExpressions": [{"operator": "Exists"}]}, "None is NoneType"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": "web"}]}, "'web' is str, not a list"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": 1}]}, "1 is int, not a list"),
        ({"matchExpressions": ["a"]}, "'a' is str, not a mapping"),
        ({"matchExpressions": {"key": "a"}}, "is dict, not a list"),
        ({"matchLabels": ["a"]}, "is list, not a mapping"),
        (7, "is text or a mapping, not int"),
    ],
)
def test_bad_selector_mappings_are_refused(source: object, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        LabelSelector.of(source)  # type: ignore[arg-type]  # wrong on purpose


def test_keys_and_values_have_the_length_limits_of_kubernetes() -> None:
    assert key_error("a" * 63) is None
    assert key_error("a" * 64) is not None
    assert key_error("a" * 253 + "/b") is None
    assert key_error("a" * 254 + "/b") is not None
    assert value_error("a" * 63) is None
    assert value_error("a" * 64) is not None
    assert value_error("") is None


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("metadata.name=web", "metadata.name=web"),
        ("metadata.name==web", "metadata.name=web"),
        ("status.phase!=Running", "status.phase!=Running"),
        ("a=1,b!=2", "a=1,b!=2"),
        ("a=,b=", "a=,b="),
        (",a=1,,", "a=1"),
        (r"a=x\,y\=z\\w", r"a=x\,y\=z\\w"),
        ("a=b!c", "a=b!c"),
        ("", ""),
    ],
)
def test_field_selectors_have_one_canonical_text(text: str, canonical: str) -> None:
    assert str(parse_fields(text)) == canonical


def test_field_selectors_match_by_equality_and_a_missing_field_is_empty() -> None:
    assert parse_fields(r"a=x\,y").matches({"a": "x,y"})
    assert not parse_fields("a=x").matches({"a": "y"})
    assert parse_fields("a!=x").matches({})
    assert parse_fields("a=").matches({})
    assert not parse_fields("a=x,b=y").matches({"a": "x", "b": "z"})


@given(
    st.lists(
        st.builds(
            FieldRequirement,
            st.sampled_from(["metadata.name", "spec.nodeName", "x"]),
            st.sampled_from(["=", "!="]),
            st.text(alphabet="ab\\,=! é\n", max_size=8),
        ),
        max_size=4,
    ).map(lambda requirements: FieldSelector(tuple(requirements)))
)
def test_the_text_of_a_field_selector_reads_back_as_the_same(selector: FieldSelector) -> None:
    assert parse_fields(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("metadata.name", 0, "'metadata.name' has no operator"),
        ("a=1,b", 4, "'b' has no operator"),
        ("=1", 0, "'' is no field name"),
        ("a=1, b=2", 4, "' b' is no field name"),
        ("a=b=c", 3, "'=c' must be escaped"),
        ("a===b", 3, "'=b' must be escaped"),
        (r"a=b\c", 3, "must be escaped"),
        ("a=b\\", 3, "must be escaped"),
    ],
)
def test_bad_field_selectors_are_refused_with_position_and_mend(text: str, position: int, problem: str) -> None:
    with pytest.raises(InvalidInput, match=f"position {position}: .*{problem}.*; write field=value"):
        parse_fields(text)


@pytest.mark.parametrize("source", [None, 5, {"a": "b"}, b"a=b"])
def test_a_field_selector_is_text(source: object) -> None:
    with pytest.raises(InvalidInput, match="a field selector is text"):
        parse_fields(source)  # type: ignore[arg-type]  # wrong on purpose
