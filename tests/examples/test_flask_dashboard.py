"""The Flask dashboard as it is used: two preloaded gunicorn workers, and a browser that looks at them."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewatch import Api, Client
from kubewatch.testing import ApiServer, Fault
from tests.serving import PATIENCE as STARTING
from tests.serving import Served, gunicorn, served

from .browsing import PATIENCE, contrast, wait_for
from .running import EXAMPLES, deployment

pytest.importorskip("flask", reason="the extra kubewatch[flask] is not installed")
pytest.importorskip("gunicorn", reason="gunicorn is not installed: it comes with kubewatch[web]")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

DASHBOARD = EXAMPLES / "flask_dashboard"
SCRIPT = "<script>window.pwned = true</script>"
MANY = 5000
STREAMS = 5  # that each of the two workers has room for

# A bound, in milliseconds: a page that does not react for so long is not smooth, on whatever machine.
LONGEST_TASK = 2000


def pod(name: str, *, status: str = "Running", **labels: str) -> dict[str, Any]:
    state = {"running": {}} if status == "Running" else {"waiting": {"reason": status}}
    containers = [{"name": "c", "ready": status == "Running", "restartCount": 0, "state": state}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": "Running", "containerStatuses": containers},
    }


def set_status(kube: ApiServer, name: str, status: str) -> None:
    kube.objects.patch("pods", name, {"status": pod(name, status=status)["status"]}, subresource="status")


def remove(kube: ApiServer, name: str) -> None:
    """As the kubelet does once the containers have ended."""
    Api("pods", namespace="default", client=kube.client()).delete(name, grace_period_seconds=0)


@pytest.fixture(scope="module")
def kube() -> Iterator[ApiServer]:
    with ApiServer() as server:
        server.objects.create(deployment("web", "default"))
        yield server


@pytest.fixture(scope="module")
def site(kube: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    env = {
        "KUBECONFIG": kube.kubeconfig(tmp_path_factory.mktemp("site") / "kubeconfig"),
        "FLASK_DASHBOARD_HEARTBEAT": "0.5",
        "FLASK_DASHBOARD_STREAMS": str(STREAMS),
    }
    with gunicorn("dashboard:create_app()", cwd=DASHBOARD, env=env) as server:
        assert kube.wait_for_watches(4, timeout=STARTING), "two kinds, two workers"
        yield server
        assert server.stop() == 0
    assert kube.wait_for_watches(0)


@pytest.fixture
def page(browser: Browser, site: Served) -> Iterator[Page]:
    """The dashboard, showing everything. It must not complain, nor be loaded again."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    loads: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("load", lambda loaded: loads.append(loaded.url))
    page.goto(site.url)
    wait_for(page, "#status", "Live")
    wait_for(page, "#count", r"^[1-9][\d,]* rows")
    yield page
    page.close()
    # That a server has gone is no fault of the page's.
    assert [one for one in complaints if not one.startswith("Failed to load resource: net::")] == []
    assert len(loads) == 1


def only(page: Page, words: str) -> None:
    """Show only the rows that have these words."""
    page.get_by_role("searchbox", name="Filter").fill(words)


def row(page: Page, name: str, kind: str = "pods") -> Locator:
    return page.locator(f'tr[data-key="{kind}/default/{name}"]')


def anyone(page: Page) -> Locator:
    return page.locator("tbody tr[data-key]")


# What it shows


def test_rows_appear_change_and_vanish_without_a_reload(page: Page, kube: ApiServer) -> None:
    only(page, "first")
    wait_for(page, "#empty", "No row matches")
    kube.objects.create(pod("first", status="ContainerCreating"))
    row(page, "first").get_by_text("ContainerCreating").wait_for()
    set_status(kube, "first", "Running")
    row(page, "first").get_by_text("Running").wait_for()
    cells = row(page, "first").locator("td").all_inner_texts()
    assert cells[:3] + cells[4:7] == ["Running", "1/1", "0", "Pod", "default", "node-1"]
    remove(kube, "first")
    row(page, "first").wait_for(state="detached")


def test_a_deployment_shows_how_far_its_rollout_is(page: Page, kube: ApiServer) -> None:
    only(page, "deployment web")
    web = row(page, "web", "deployments")
    web.get_by_text("Progressing").wait_for()
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    kube.objects.patch("deployments", "web", {"status": status}, subresource="status")
    web.get_by_text("Available").wait_for()
    assert web.get_by_text("1/1").is_visible()


def test_rows_go_on_changing_after_the_server_drops_every_watch(page: Page, kube: ApiServer) -> None:
    only(page, "dropped")
    kube.objects.create(pod("dropped-1"))
    kube.objects.create(pod("dropped-2"))
    row(page, "dropped-2").wait_for()
    assert kube.wait_for_watches(4), "those of the worker that does not serve this page"
    assert kube.faults.drop_watches() == 4
    kube.objects.create(pod("dropped-3"))
    set_status(kube, "dropped-1", "Error")
    remove(kube, "dropped-2")
    row(page, "dropped-3").wait_for()
    row(page, "dropped-1").get_by_text("Error").wait_for()
    row(page, "dropped-2").wait_for(state="detached")


def test_a_pod_whose_deletion_was_missed_vanishes_with_the_next_list(page: Page, kube: ApiServer) -> None:
    only(page, "missed")
    kube.objects.create(pod("missed"))
    row(page, "missed").wait_for()
    kube.faults.add(Fault.gone(), verb="watch", kind="pods", times=2)
    kube.faults.drop_watches(kind="pods")
    remove(kube, "missed")
    row(page, "missed").wait_for(state="detached")


def test_a_label_that_is_a_script_is_shown_as_text(page: Page, kube: ApiServer) -> None:
    """An API server lets no such label in; so one that does is played here."""
    only(page, "evil")
    evil = kube.objects.create(pod("evil"))
    row(page, "evil").wait_for()
    evil["metadata"]["labels"] = {"evil": SCRIPT}
    evil["spec"]["nodeName"] = SCRIPT
    line = json.dumps({"type": "MODIFIED", "object": evil}).encode()
    assert kube.wait_for_watches(2, kind="pods"), "also the other worker's, which may still be listing"
    assert kube.faults.now(Fault.line(line + b"\n"), kind="pods") == 2
    row(page, "evil").get_by_text(f"evil={SCRIPT}", exact=True).wait_for()
    assert row(page, "evil").locator("td").all_inner_texts()[6] == SCRIPT
    assert page.locator("tbody script").count() == 0
    assert page.evaluate("window.pwned") is None
    remove(kube, "evil")
    row(page, "evil").wait_for(state="detached")


def test_no_script_may_run_but_the_pages_own(site: Served) -> None:
    with site.open("/") as answer:
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
        assert not re.search(r"<script(?! type=\"module\" src=\"/static/)|\son\w+=|https?://", answer.read().decode())


# By ear, by night, on a phone


def test_screen_readers_are_told_what_there_is_and_what_was_asked_for(page: Page) -> None:
    table = page.get_by_role("table", name="Deployments and pods, as they are now")
    heads = ["Name", "Status", "Ready", "Restarts", "Age", "Kind", "Namespace", "Node", "Labels"]
    assert table.get_by_role("columnheader").all_inner_texts() == heads
    assert table.get_attribute("aria-busy") == "false"
    assert page.get_by_role("region", name="Deployments and pods, as they are now").is_visible()
    assert page.get_by_role("status").first.inner_text() == "Live"
    only(page, "deployment web")
    wait_for(page, "#heard", r"^1 (of .*)?rows")
    assert table.get_by_role("rowheader", name="web").is_visible()
    page.get_by_role("button", name="Age").press("Enter")
    wait_for(page, "#heard", "^Sorted by age, ascending")


def test_text_stands_out_by_day_and_by_night(page: Page, kube: ApiServer, tmp_path: Path) -> None:
    """By 4.5 at least, as WCAG 2.2 asks, success criterion 1.4.3. The pictures are for people to look at."""
    for name, status in (("tone-1", "Running"), ("tone-2", "ContainerCreating"), ("tone-3", "CrashLoopBackOff")):
        kube.objects.create(pod(name, status=status, app="tone"))
    only(page, "tone")
    wait_for(page, "#count", "^3 of")
    sheets = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        for tone in ("ok", "busy", "bad"):
            assert contrast(page.locator(f"td[data-tone={tone}]")) >= 4.5, (scheme, tone)
        for selector in ("h1", "#status", "#count", "label", "#filter", "#kind", "thead button", "tbody th", "td.soft"):
            assert contrast(page.locator(selector).first) >= 4.5, (scheme, selector)
        page.screenshot(path=tmp_path / f"{scheme}.png")
        sheets.append(page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor"))
    assert sheets[0] != sheets[1]


def test_a_phone_shows_which_and_how_it_is_without_scrolling(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 667})
    web = row(page, "web", "deployments")
    for cell in (web.locator("th"), web.locator("td[data-tone]")):
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 375


# The connection


def test_a_page_that_is_refused_says_so(browser: Browser, site: Served) -> None:
    page = browser.new_page()
    page.route("**/events", lambda route: route.fulfill(status=503))
    page.goto(site.url)
    wait_for(page, "#status", "^Refused by the server")
    page.close()


def test_a_page_of_a_server_that_has_no_cluster_says_so_at_once(browser: Browser, tmp_path: Path) -> None:
    """Also though the page was open before that was known, and long before the next heartbeat."""
    env = {"KUBECONFIG": str(tmp_path / "missing"), "FLASK_DASHBOARD_HEARTBEAT": "3600"}
    with served("flask", "--app", "dashboard", "run", "--port", "0", cwd=DASHBOARD, env=env) as server:
        page = browser.new_page()
        page.goto(server.url)
        wait_for(page, "#status", "^Cannot list deployments and pods")
        wait_for(page, "#empty", "^Nothing is known yet")
        page.close()


def test_a_page_that_lost_its_server_catches_up_by_itself(page: Page, site: Served, kube: ApiServer) -> None:
    kube.objects.create(pod("lost-1"))
    only(page, "lost")
    row(page, "lost-1").wait_for()
    site.process.send_signal(signal.SIGHUP)  # gunicorn ends its workers, and starts others
    wait_for(page, "#status", "Connection lost")
    remove(kube, "lost-1")
    kube.objects.create(pod("lost-2"))
    row(page, "lost-2").wait_for()
    row(page, "lost-1").wait_for(state="detached")
    wait_for(page, "#status", "Live")
    assert kube.wait_for_watches(4, timeout=STARTING)


def test_a_reader_who_goes_away_makes_room_for_another(site: Served) -> None:
    """By then the worker has tried to send a heartbeat."""
    for _ in range(2):
        readers: list[HTTPResponse] = []
        while len(readers) < 2 * STREAMS:  # some are still taken by who was here before
            answer = site.open("/events")
            if answer.status == 200:
                assert answer.readline().startswith(b"retry: ")
                readers.append(answer)
            else:
                assert answer.status == 503
                answer.close()
        with site.open("/events") as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
        for reader in readers:
            reader.close()


def test_a_reader_hears_something_even_when_nothing_changes(site: Served) -> None:
    with site.open("/events") as answer:
        while answer.status != 200:
            answer = site.open("/events")
        for _ in range(3):
            while not answer.readline().startswith(b"event: health"):
                pass
            assert json.loads(answer.readline().removeprefix(b"data: "))["ok"] is True


# Many rows


@pytest.fixture(scope="module")
def _many(kube: ApiServer, site: Served) -> None:
    for number in range(MANY):
        new = pod(f"many-{number:04}", app="many")
        del new["status"]  # which would be a second write
        kube.objects.create(new)


@pytest.fixture
def full_page(_many: None, page: Page) -> Page:
    wait_for(page, "#count", r"^5,\d{3} rows")
    return page


def test_five_thousand_rows_stay_smooth(full_page: Page, kube: ApiServer) -> None:
    """What is in the document is what is in view, and no task keeps the page from reacting for long."""
    full_page.evaluate(
        """() => {
            window.longest = 0;
            new PerformanceObserver((list) => {
                for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
            }).observe({ type: "longtask", buffered: true });
        }"""
    )
    for number in range(0, MANY, 5):
        set_status(kube, f"many-{number:04}", "Error")
    only(full_page, "many error")
    wait_for(full_page, "#count", f"^{MANY // 5:,} of")
    full_page.get_by_role("button", name="Restarts").click()
    for number in range(0, MANY, 5):
        set_status(kube, f"many-{number:04}", "Running")
    wait_for(full_page, "#count", "^0 of")
    only(full_page, "many")
    full_page.get_by_role("button", name="Name", exact=True).click()
    full_page.locator("#scroll").evaluate("scroll => scroll.scrollTo(0, scroll.scrollHeight)")
    row(full_page, f"many-{MANY - 1:04}").wait_for()
    assert int(full_page.get_by_role("table").get_attribute("aria-rowcount") or 0) == MANY + 1
    assert anyone(full_page).count() < 60
    assert full_page.evaluate("window.longest") < LONGEST_TASK


def test_what_is_being_read_stays_in_place_when_rows_come_above_it(full_page: Page, kube: ApiServer) -> None:
    full_page.locator("#scroll").evaluate("scroll => scroll.scrollTo(0, scroll.scrollHeight / 2)")
    row(full_page, f"many-{MANY // 2:04}").wait_for()
    read = row(full_page, f"many-{MANY // 2:04}")
    place, index = read.bounding_box(), read.get_attribute("aria-rowindex") or ""
    kube.objects.create(pod("aaa-comes-first"))
    full_page.locator(f'tr[data-key="pods/default/many-{MANY // 2:04}"][aria-rowindex="{int(index) + 1}"]').wait_for()
    assert read.bounding_box() == place
    remove(kube, "aaa-comes-first")


def test_everything_can_be_done_by_keyboard_and_the_focus_is_seen(full_page: Page) -> None:
    reached = []
    for _ in range(9):
        full_page.keyboard.press("Tab")
        reached.append(full_page.evaluate("document.activeElement.id || document.activeElement.innerText"))
        assert full_page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", reached
    assert reached == ["filter", "kind", "scroll", "Name", "Status", "Ready", "Restarts", "Age", "Kind"]
    full_page.keyboard.press("Enter")
    head = full_page.get_by_role("columnheader", name="Kind")
    assert head.get_attribute("aria-sort") == "ascending"
    full_page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    for _ in range(6):
        full_page.keyboard.press("Shift+Tab")
    full_page.keyboard.press("End")
    row(full_page, "web", "deployments").wait_for()


# Its rights


def test_it_uses_all_of_its_rights_and_no_others(site: Served, kube: ApiServer) -> None:
    (role,) = (each for each in manifests() if each["kind"] == "ClusterRole")
    rights = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    used = {(f"{one.kind.lower()}s", one.verb) for one in kube.requests if one.kind}
    assert used - {("pods", "delete")} == rights, "deleting is the tests' own"


def test_its_manifests_are_accepted(client: Client) -> None:
    first, *rest = manifests()
    Api("namespaces", client=client).apply(first, field_manager="test")
    for each in rest:
        namespace = each["metadata"].get("namespace")
        Api(each["apiVersion"], each["kind"], namespace=namespace, client=client).create(each, dry_run=True)


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DASHBOARD / "deploy.yaml").read_text()))
