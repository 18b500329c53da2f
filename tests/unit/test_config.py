"""Config: what is allowed, and what is refused before a request could be made."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kubewatch.config import Config
from kubewatch.errors import InvalidInput
from kubewatch.selectors import parse_fields, parse_labels


def test_the_defaults_are_those_of_kube_rs() -> None:
    config = Config()
    assert (config.timeout, config.page_size, config.bookmarks) == (290, 500, True)
    assert (config.list_semantic, config.initial_list) == ("most_recent", "list_watch")
    assert (config.label_selector, config.field_selector, config.idle_timeout) == (None, None, None)


@pytest.mark.parametrize("timeout", [0, 295, 1800, 10**6])
def test_a_timeout_has_no_upper_limit(timeout: int) -> None:
    """Row 127: a watch of 1800 seconds is accepted; 0 lets the server choose."""
    assert Config(timeout=timeout).timeout == timeout


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"timeout": -1}, "0 lets the server choose"),
        ({"timeout": 1.5}, "whole number of seconds"),
        ({"timeout": None}, "0 lets the server choose"),
        ({"timeout": True}, "whole number"),
        ({"page_size": 0}, "None asks for all"),
        ({"page_size": -5}, "1 or more"),
        ({"page_size": "500"}, "number of objects"),
        ({"idle_timeout": 0}, "go silent for ever"),
        ({"idle_timeout": -1.0}, "more than 0"),
        ({"idle_timeout": math.inf}, "finite"),
        ({"idle_timeout": math.nan}, "finite"),
        ({"list_semantic": "exact"}, "'most_recent', 'any'"),
        ({"list_semantic": "Exact"}, "'most_recent', 'any'"),
        ({"initial_list": "watch"}, "'list_watch', 'streaming', 'auto'"),
        ({"initial_list": "streaming", "bookmarks": False}, "needs bookmarks=True"),
        ({"bookmarks": "no"}, "bookmarks is True or False"),
        ({"strict": 1}, "strict is True or False"),
        ({"label_selector": "app in (a"}, "label selector"),
        ({"label_selector": {"app": 5}}, "put it in quotes"),
        ({"label_selector": 5}, "text or a mapping"),
        ({"field_selector": "metadata.name"}, "field selector"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_contradicts_itself_is_refused_when_built_and_the_message_says_the_mend(
    wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says.replace("(", r"\(")):
        Config(**wrong)


def test_there_is_no_way_to_ask_for_no_timeout() -> None:
    """Pain 1: a watch that nothing limits can go silent for ever."""
    for never in (math.inf, 0):
        with pytest.raises(InvalidInput):
            Config(idle_timeout=never)


def test_parsed_selectors_are_kept_as_text() -> None:
    config = Config(label_selector=parse_labels("app in (b,a)"), field_selector=parse_fields("metadata.name=web"))
    assert (config.label_selector, config.field_selector) == ("app in (a,b)", "metadata.name=web")
    assert Config(label_selector={"app": "web"}) == Config(label_selector="app=web")


def test_a_config_is_a_value() -> None:
    assert Config(label_selector="app=web") == Config(label_selector="app=web")
    with pytest.raises(AttributeError):
        Config().timeout = 5  # type: ignore[misc]  # that it is refused is the claim
