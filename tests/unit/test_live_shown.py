"""A live store as people see it: as a mapping, as a table at a REPL and in Jupyter, as a DataFrame."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from kubewatch import InvalidInput, LiveStore, Object, ObjectRef, live
from kubewatch.errors import Unreachable
from kubewatch.models import decode_model
from tests.unit.stored import names
from tests.unit.stub_source import Do, StubSource, page, pod

# Seconds after which a test gives up.
PATIENCE = 10.0

SCRIPT = "<script>alert('&')</script>"

Follow = Callable[..., LiveStore[Any]]


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Makes LiveStores of the pods given, in one namespace or (`namespace=None`) in all; stops them."""
    made: list[LiveStore[Any]] = []
    over = threading.Event()

    def make(*pods: Any, namespace: str | None = "default", **source: Any) -> LiveStore[Any]:
        quiet = [Do(lambda: over.wait(PATIENCE))]
        made.append(live(StubSource([page(*pods, version=1)], [quiet], namespace=namespace, **source)))
        return made[-1]

    yield make
    over.set()
    for one in made:
        assert one.stop(PATIENCE)


@pytest.fixture
def at_a_repl(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an interactive interpreter."""
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)


def running(name: str, **metadata: Any) -> Any:
    obj = pod(name, 1, spec={"nodeName": "n1", "containers": [{"name": "main", "image": "web:1"}]})
    obj["metadata"] |= metadata
    return obj | {"status": {"phase": "Running"}}


class TestAsAMapping:
    def test_an_object_is_found_by_its_name(self, follow: Follow) -> None:
        pods = follow(pod("web-0", 1))
        assert pods["web-0"].name == pods["default/web-0"].name == "web-0"
        assert pods[ObjectRef("Pod", "web-0", "default")] == pods[pods["web-0"]] == pods["web-0"]
        assert pods.get("web-0") == pods.get("web-0", "default") == pods["web-0"]
        assert "web-0" in pods
        assert "web-1" not in pods

    def test_where_all_namespaces_are_followed_a_name_has_its_namespace(self, follow: Follow) -> None:
        pods = follow(pod("web-0", 1), namespace=None)
        assert pods["default/web-0"].name == "web-0"
        assert "web-0" not in pods

    def test_what_is_not_there_is_a_key_error(self, follow: Follow) -> None:
        """Without what is near, which is only for who looks: it takes 0.1 s among 100 000 names."""
        with pytest.raises(KeyError, match=r"there is no 'web-00' among Pod in default \(ready, heard .*\)\.$"):
            follow(pod("web-0", 1))["web-00"]

    @pytest.mark.usefixtures("at_a_repl")
    def test_at_a_repl_the_error_says_what_is_near(self, follow: Follow) -> None:
        pods = follow(pod("web-0", 1), pod("db", 1))
        with pytest.raises(KeyError) as raised:
            pods["web-00"]
        assert str(raised.value).startswith("there is no 'web-00' among Pod in default (ready, heard 0.")
        assert str(raised.value).endswith("Did you mean web-0?")
        with pytest.raises(KeyError, match="Did you mean default/web-0"):
            follow(pod("web-0", 1), namespace=None)["web-0"]
        with pytest.raises(KeyError, match=r"no 'other'.*\)\.$"):
            pods[ObjectRef("Pod", "other", "default")]

    @pytest.mark.usefixtures("at_a_repl")
    def test_among_very_many_names_those_that_begin_alike_are_near(self, follow: Follow) -> None:
        pods = follow(*(pod(f"{kind}-{i}", 1) for kind in ("web", "db") for i in range(1500)))
        with pytest.raises(KeyError, match="Did you mean web-1499"):
            pods["web-14999"]

    def test_it_iterates_over_objects_and_makes_a_dict_by_reference(self, follow: Follow) -> None:
        pods = follow(pod("web-0", 1))
        ref = ObjectRef("Pod", "web-0", "default")
        assert names(pods) == ["web-0"]
        assert (pods.keys(), pods.values(), pods.items()) == ([ref], [pods["web-0"]], [(ref, pods["web-0"])])
        assert dict(pods.items()) == {ref: pods["web-0"]}

    def test_ipython_completes_names(self, follow: Follow) -> None:
        pods = (pod("web-1", 1), pod("web-0", 1))
        assert follow(*pods)._ipython_key_completions_() == ["web-0", "web-1"]
        assert follow(*pods, namespace=None)._ipython_key_completions_() == ["default/web-0", "default/web-1"]


@pytest.mark.usefixtures("at_a_repl")
class TestAsText:
    def test_it_is_kubectls_table_and_how_fresh_it_is(self, follow: Follow) -> None:
        header, row, state = repr(follow(running("web-0"))).splitlines()
        assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
        assert row.split() == ["web-0", "0/1", "Running", "0", "<unknown>"]
        assert state.startswith("Pod in default: 1 object, ready, heard 0.")

    def test_namespaces_have_a_column_where_all_are_followed(self, follow: Follow) -> None:
        assert repr(follow(running("web-0"), namespace=None)).split()[0] == "NAMESPACE"

    def test_cluster_scoped_objects_have_none(self, follow: Follow) -> None:
        node = pod("n1", 1)
        del node["metadata"]["namespace"]
        assert repr(follow(node, namespace=None, kind="Node")).split()[0] == "NAME"

    def test_of_many_objects_the_first_are_shown_and_the_rest_counted(self, follow: Follow) -> None:
        lines = repr(follow(*(running(f"web-{i:04}") for i in range(5000)))).splitlines()
        assert len(lines) == 23
        assert lines[1].startswith("web-0000 ")
        assert lines[21] == "… and 4 980 more"
        assert lines[22].startswith("Pod in default: 5 000 objects, ready")

    def test_none_at_all_is_one_line(self, follow: Follow) -> None:
        assert repr(follow()).startswith("Pod in default: 0 objects, ready, heard 0.")

    def test_models_of_the_users_own_are_shown_too(self, follow: Follow) -> None:
        class Pod(msgspec.Struct):
            metadata: dict[str, Any]

        lines = repr(follow(pod("web-0", 1), decode=decode_model(Pod))).splitlines()
        assert [lines[0].split()[0], lines[1].split()[0]] == ["NAME", "web-0"]

    def test_what_came_from_the_cluster_is_harmless_to_a_terminal(self, follow: Follow) -> None:
        text = repr(follow(running("web-0") | {"status": {"reason": "\x1b[2J"}}))
        assert r"\x1b[2J" in text
        assert "\x1b" not in text

    def test_a_failing_stream_is_told_at_once_with_its_reason(self) -> None:
        with live(StubSource[Object]([Unreachable("nobody\x1b there")] * 9)) as pods:
            pods._run.awaited = True  # type: ignore[union-attr]  # as if it was not for `with`
            first, second = repr(pods).splitlines()
        assert first == "Pod in default: 0 objects, not ready, never heard, failing: InitialListFailed"
        assert second.endswith(r"nobody\x1b there")

    def test_what_ended_it_is_told(self) -> None:
        shown = repr(live(StubSource[Object]([RuntimeError("no \x1b[2J\nsuch kind")])))
        assert shown.endswith(", ended by RuntimeError\n" + r"no \x1b[2J\nsuch kind")


def test_elsewhere_than_at_a_repl_showing_it_starts_nothing(follow: Follow) -> None:
    pods = follow(running("web-0"))
    assert repr(pods) == "<LiveStore of Pod in default, not started>"
    assert not pods.running
    assert len(pods) == 1
    assert repr(pods).startswith("NAME")


class Seen(HTMLParser):
    """The elements and texts of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


class TestAsHtml:
    def test_it_is_the_same_table(self, follow: Follow) -> None:
        seen = Seen(follow(running("web-0"))._repr_html_())
        assert seen.tags == ["div", "table", "tr", *["th"] * 5, "tr", *["td"] * 5, "div"]
        assert seen.texts[:2] == ["NAME", "READY"]
        assert seen.texts[5:8] == ["web-0", "0/1", "Running"]
        assert seen.texts[10].startswith("Pod in default: 1 object, ready")

    def test_a_script_tag_shows_as_text(self, follow: Follow) -> None:
        pods = follow(running("web-0") | {"status": {"reason": SCRIPT}}, running(SCRIPT))
        seen = Seen(pods._repr_html_())
        assert "script" not in seen.tags
        assert seen.texts.count(SCRIPT) == 2

    def test_a_script_tag_in_an_error_shows_as_text(self) -> None:
        with live(StubSource[Object]([Unreachable(SCRIPT)] * 9)) as pods:
            pods._run.awaited = True  # type: ignore[union-attr]  # as if it was not for `with`
            seen = Seen(pods._repr_html_())
        assert "script" not in seen.tags


class TestAsAFrame:
    @pytest.fixture(autouse=True)
    def _needs_pandas(self) -> None:
        pytest.importorskip("pandas")

    def test_it_has_kubectls_wide_columns_and_the_time_of_creation(self, follow: Follow) -> None:
        frame = follow(running("web-1"), running("web-0", creationTimestamp="2026-01-02T03:04:05Z")).df()
        assert list(frame.index) == ["web-0", "web-1"]
        assert {"ready", "status", "restarts", "node", "created"} <= set(frame.columns)
        assert frame.loc["web-0", "node"] == "n1"
        assert frame.loc["web-0", "created"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)

    def test_columns_are_paths_or_functions(self, follow: Follow) -> None:
        frame = follow(running("web-0", labels={"app": "web"})).df(
            node="spec.nodeName", image=".spec.containers[0].image", app=lambda obj: obj.labels.get("app"), no="spec.no"
        )
        assert frame.to_dict("records") == [{"node": "n1", "image": "web:1", "app": "web", "no": None}]

    def test_where_all_namespaces_are_followed_they_are_in_the_index(self, follow: Follow) -> None:
        frame = follow(running("web-0"), namespace=None).df(node="spec.nodeName")
        assert frame.loc[("default", "web-0"), "node"] == "n1"

    def test_none_at_all_is_an_empty_frame_of_the_same_columns_and_index(self, follow: Follow) -> None:
        full, empty = (follow(*pods, namespace=None).df() for pods in ([running("web-0")], []))
        assert len(empty) == 0
        assert list(empty.columns) == list(full.columns)
        assert empty.index.names == full.index.names == ["namespace", "name"]
        assert follow().df(node="spec.nodeName").columns == ["node"]

    def test_a_path_that_is_none_is_refused(self, follow: Follow) -> None:
        with pytest.raises(InvalidInput, match="column 'node': unrecognized JSONPath"):
            follow(running("web-0")).df(node="spec[")


class TestWithoutPandas:
    def test_a_frame_says_what_to_install(self, follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(ImportError, match="pip install pandas"):
            follow(running("web-0")).df()
