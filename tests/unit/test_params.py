"""Request parameters: what a list and a watch send, in which order, and what is refused before anything is sent."""

from __future__ import annotations

import pytest

from kubewatch.errors import InvalidInput
from kubewatch.params import EXACT, NOT_OLDER_THAN, ListParams, WatchParams, encode_query


def test_listing_the_most_recent_sends_no_parameters() -> None:
    """Row 93: list_most_recent_pods."""
    assert ListParams().query() == []


def test_listing_from_the_cache_sends_version_0_and_not_older_than() -> None:
    """Row 94: list_pods_from_cache."""
    params = ListParams(resource_version="0", resource_version_match=NOT_OLDER_THAN)
    assert params.query() == [("resourceVersion", "0"), ("resourceVersionMatch", "NotOlderThan")]


def test_a_page_at_any_version_sends_the_limit_only() -> None:
    """Row 95: list_paged_any_semantic."""
    params = ListParams(limit=50, resource_version="0", resource_version_match=NOT_OLDER_THAN)
    assert params.query() == [("limit", "50")]


def test_a_further_page_at_any_version_sends_limit_and_continue_only() -> None:
    """Row 96: list_paged_with_continue_any_semantic."""
    params = ListParams(limit=50, continue_="token", resource_version="0", resource_version_match=NOT_OLDER_THAN)
    assert params.query() == [("limit", "50"), ("continue", "token")]


def test_a_further_page_drops_an_explicit_version() -> None:
    """Row 97: list_paged_with_continue_starting_at."""
    first = ListParams(limit=50, resource_version="9999", resource_version_match=EXACT)
    further = ListParams(limit=50, continue_="token", resource_version="9999", resource_version_match=EXACT)
    assert first.query() == [("limit", "50"), ("resourceVersion", "9999"), ("resourceVersionMatch", "Exact")]
    assert further.query() == [("limit", "50"), ("continue", "token")]


def test_an_exact_match_sends_version_and_match() -> None:
    """Row 98: list_exact_match."""
    params = ListParams(limit=500, resource_version="500", resource_version_match=EXACT)
    assert params.query() == [("limit", "500"), ("resourceVersion", "500"), ("resourceVersionMatch", "Exact")]


def test_an_exact_match_of_any_version_is_refused() -> None:
    """Row 99: list_invalid_resource_version_combination."""
    with pytest.raises(InvalidInput, match="any version"):
        ListParams(resource_version="0", resource_version_match=EXACT)


@pytest.mark.parametrize("version", [None, ""])
def test_a_match_without_a_version_is_refused(version: str | None) -> None:
    with pytest.raises(InvalidInput, match="give one"):
        ListParams(resource_version=version, resource_version_match=NOT_OLDER_THAN)


def test_an_unknown_match_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Newest"):
        ListParams(resource_version="5", resource_version_match="Newest")


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="-1"):
        ListParams(limit=-1)


def test_empty_texts_count_as_absent() -> None:
    assert ListParams(label_selector="", field_selector="", continue_="", resource_version="").query() == []


def test_a_watch_sends_the_defaults_in_order() -> None:
    """Row 101: watch_path."""
    assert encode_query(WatchParams(resource_version="0").query()) == (
        "watch=true&timeoutSeconds=290&allowWatchBookmarks=true&resourceVersion=0"
    )


def test_a_streaming_list_asks_for_the_initial_events() -> None:
    """Row 102: watch_streaming_list."""
    assert encode_query(WatchParams(send_initial_events=True, resource_version="0").query()) == (
        "watch=true&timeoutSeconds=290&allowWatchBookmarks=true"
        "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0"
    )


def test_a_watch_escapes_selectors_and_can_do_without_bookmarks() -> None:
    """Row 104: watch_params."""
    params = WatchParams(
        label_selector="app in (a, b),tier!=db",
        field_selector="metadata.name=pod=1",
        bookmarks=False,
        resource_version="0",
    )
    assert encode_query(params.query()) == (
        "watch=true&timeoutSeconds=290&fieldSelector=metadata.name%3Dpod%3D1"
        "&labelSelector=app+in+%28a%2C+b%29%2Ctier%21%3Ddb&resourceVersion=0"
    )


def test_a_watch_may_last_long() -> None:
    """Row 127: watch_timeout_allows_long_duration."""
    assert encode_query(WatchParams(timeout=1800, resource_version="0").query()) == (
        "watch=true&timeoutSeconds=1800&allowWatchBookmarks=true&resourceVersion=0"
    )


def test_a_watch_of_timeout_0_leaves_the_duration_to_the_server() -> None:
    assert ("timeoutSeconds", "0") in WatchParams(timeout=0, resource_version="5").query()


def test_initial_events_without_bookmarks_are_refused() -> None:
    with pytest.raises(InvalidInput, match="bookmarks"):
        WatchParams(send_initial_events=True, bookmarks=False)


def test_a_negative_timeout_is_refused() -> None:
    with pytest.raises(InvalidInput, match="-1"):
        WatchParams(timeout=-1)


def test_the_version_is_sent_last_also_when_it_is_empty() -> None:
    assert WatchParams(resource_version="").query()[-1] == ("resourceVersion", "")
