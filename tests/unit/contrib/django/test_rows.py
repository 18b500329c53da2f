"""Writing batches to a database: SQLite, in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewatch import Api, Object

pytest.importorskip("django", reason="the extra kubewatch[django] is not installed")

from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

import tests.djangosite.setup  # noqa: F401
from kubewatch.contrib.django import Reflection, reflect_model
from kubewatch.contrib.django.changes import Batch, Mark
from kubewatch.contrib.django.models import ReflectionState
from kubewatch.contrib.django.rows import CHUNK, Rows
from tests.djangosite.models import Deployment, Machine, Node, Scale, Ticket, Volume

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
GONE, KEPT = Mark.GONE, Mark.KEPT


@pytest.fixture(scope="module")
def tables() -> None:
    """All tables."""
    call_command("migrate", run_syncdb=True, verbosity=0)


@pytest.fixture(autouse=True)
def rolled_back(tables: None) -> Iterator[None]:
    """What a test writes is gone after it."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def deployments() -> Reflection[Object]:
    key = {"namespace": "metadata.namespace", "name": "metadata.name"}
    fields = {"replicas": ".spec.replicas", "image": ".spec.image"}
    return reflect_model(Deployment, Api("deployments"), key=key, fields=fields)


def nodes(cluster: str) -> Reflection[Object]:
    return reflect_model(Node, Api("nodes"), key={"name": "metadata.name"}, fields={}, scope={"cluster": cluster})


def machines() -> Reflection[Object]:
    return reflect_model(Machine, Api("nodes"), key={"name": "metadata.name"}, fields={"size": ".spec.size"})


def whole(rows: dict[str, Any]) -> Batch:
    return Batch(True, {tuple(key.split("/")): row for key, row in rows.items()})


def live(rows: dict[str, Any]) -> Batch:
    return Batch(False, whole(rows).rows)


def stored() -> dict[str, Any]:
    return {f"{d.namespace}/{d.name}": (d.replicas, d.image) for d in Deployment.objects.all()}


# What is written


def test_a_whole_batch_makes_the_rows_those_of_its_objects() -> None:
    rows = Rows(deployments())
    rows.write(whole({"shop/a": (1, "x"), "shop/b": (2, "x"), "web/a": (3, "x")}), NOW)
    assert stored() == {"shop/a": (1, "x"), "shop/b": (2, "x"), "web/a": (3, "x")}
    rows.write(whole({"shop/b": (2, "y"), "web/a": (3, "x"), "web/c": (0, "z")}), NOW)
    assert stored() == {"shop/b": (2, "y"), "web/a": (3, "x"), "web/c": (0, "z")}


def test_live_changes_leave_other_rows_alone() -> None:
    rows = Rows(deployments())
    rows.write(whole({"shop/a": (1, "x"), "shop/b": (2, "x"), "web/a": (3, "x")}), NOW)
    rows.write(live({"shop/a": GONE, "web/a": GONE, "web/never": GONE, "shop/b": (5, "y"), "shop/c": (6, "x")}), NOW)
    assert stored() == {"shop/b": (5, "y"), "shop/c": (6, "x")}


def test_rows_that_are_right_already_are_not_written_again() -> None:
    rows = Rows(deployments())
    rows.write(whole({"shop/a": (1, "x"), "shop/b": (2, "x")}), NOW)
    written = dict(Deployment.objects.values_list("name", "written"))
    rows.write(whole({"shop/a": (1, "x"), "shop/b": (3, "x")}), NOW)
    again = dict(Deployment.objects.values_list("name", "written"))
    assert again["a"] == written["a"]
    assert again["b"] > written["b"]


def test_columns_that_are_not_reflected_and_primary_keys_stay() -> None:
    rows = Rows(deployments())
    rows.write(whole({"shop/a": (1, "x")}), NOW)
    Deployment.objects.update(owner="maria")
    before = Deployment.objects.get()
    rows.write(live({"shop/a": (2, "x")}), NOW)
    after = Deployment.objects.get()
    assert (after.pk, after.owner, after.replicas) == (before.pk, "maria", 2)


def test_rows_are_found_by_a_uid_that_the_database_has_as_such() -> None:
    rows = Rows(reflect_model(Volume, Api("persistentvolumes"), key={"uid": "metadata.uid"}, fields={}))
    one, other = "0d9c9a4e-6f5c-4a3b-8d1e-1f2a3b4c5d6e", "7e6d5c4b-3a2f-4e1d-8b3a-5c6f4e9a0d9c"
    rows.write(whole({one: (), other: ()}), NOW)
    Volume.objects.update(owner="maria")
    rows.write(whole({one: (), other: ()}), NOW)
    rows.write(live({other: GONE}), NOW)
    assert list(Volume.objects.values_list("owner", flat=True)) == ["maria"]


def test_many_rows_go_in_few_statements_in_whichever_order_the_key_is_given() -> None:
    key = {"name": "metadata.name", "namespace": "metadata.namespace"}
    rows = Rows(reflect_model(Deployment, Api("deployments"), key=key, fields={}))
    rows.write(live({f"shop/d{number}": () for number in range(50)}), NOW)
    assert set(Deployment.objects.values_list("namespace", flat=True)) == {"shop"}
    with CaptureQueriesContext(connection) as removed:
        rows.write(live({f"shop/d{number}": GONE for number in range(50)}), NOW)
    assert Deployment.objects.count() == 0
    assert len(removed) < 20


def test_rows_outside_the_scope_are_never_touched() -> None:
    for cluster in ("prod", "test"):
        Rows(nodes(cluster)).write(whole({"n1": (), "n2": ()}), NOW)
    Rows(nodes("prod")).write(whole({"n2": (), "n3": ()}), NOW)
    Rows(nodes("prod")).write(live({"n2": GONE}), NOW)
    there = set(Node.objects.values_list("cluster", "name"))
    assert there == {("prod", "n3"), ("test", "n1"), ("test", "n2")}


def test_many_rows_take_few_statements() -> None:
    rows = Rows(machines())
    count = 2 * CHUNK
    with CaptureQueriesContext(connection) as made:
        rows.write(whole({f"n{number}": (1,) for number in range(count)}), NOW)
    assert Machine.objects.count() == count
    assert len(made) < 40
    with CaptureQueriesContext(connection) as removed:
        rows.write(live({f"n{number}": GONE for number in range(count)}), NOW)
    assert Machine.objects.count() == 0
    assert len(removed) < 40


def test_a_batch_written_twice_comes_to_the_same() -> None:
    rows = Rows(deployments())
    rows.write(whole({"shop/a": (1, "x"), "shop/b": (1, "x")}), NOW)
    for _ in range(2):
        rows.write(live({"shop/a": (2, "y"), "shop/b": GONE}), NOW)
    assert stored() == {"shop/a": (2, "y")}


NAMES = st.sampled_from("abcd")
SIZES = st.one_of(st.none(), st.integers(0, 3))
CHANGES = st.one_of(st.tuples(SIZES), st.just(GONE), st.just(KEPT))


@settings(max_examples=50)
@given(st.lists(st.builds(Batch, st.booleans(), st.dictionaries(st.tuples(NAMES), CHANGES)), max_size=4))
def test_any_batches_leave_the_rows_that_they_say(batches: list[Batch]) -> None:
    Machine.objects.all().delete()
    expected: dict[Any, Any] = {}
    for batch in batches:
        Rows(machines()).write(batch, NOW)
        kept = {key: expected[key] for key, row in batch.rows.items() if row is KEPT and key in expected}
        expected = {} if batch.whole else expected
        expected |= batch.rows | kept
        expected = {key: row for key, row in expected.items() if not isinstance(row, Mark)}
        assert {(each.name,): (each.size,) for each in Machine.objects.all()} == expected


# How fresh it is


def state() -> list[tuple[str, datetime]]:
    return list(ReflectionState._default_manager.values_list("name", "heard_at"))


def test_the_state_says_when_the_rows_were_what_the_server_had() -> None:
    rows = Rows(machines())
    rows.write(whole({}), NOW)
    assert state() == [("djangosite.machine", NOW)]
    rows.write(live({}), NOW + timedelta(seconds=9))
    assert state() == [("djangosite.machine", NOW + timedelta(seconds=9))]


def test_the_state_stays_where_nothing_new_was_heard() -> None:
    rows = Rows(machines())
    rows.write(live({"a": (1,)}), None)
    assert state() == []
    rows.write(whole({}), NOW)
    rows.write(live({"a": (1,)}), None)
    assert state() == [("djangosite.machine", NOW)]


# What the database refuses


def test_a_row_that_the_database_refuses_stays_as_it_was_and_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = Rows(deployments())
    rows.write(whole({"shop/a": (1, "x"), "shop/b": (1, "x")}), NOW)
    with caplog.at_level(logging.ERROR):
        rows.write(whole({f"shop/{name}": (2**70 if name in "bx" else 2, "y") for name in "abcdexyz"}), NOW)
    assert stored() == {"shop/b": (1, "x")} | {f"shop/{name}": (2, "y") for name in "acdeyz"}
    assert rows.refused == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"deployments -> djangosite.deployment: the database refuses the row of shop/{name}, which stays as it was: "
        "OverflowError: Python int too large to convert to SQLite INTEGER"
        for name in "bx"
    ]


def test_a_row_of_a_key_alone_is_written_once_and_no_refusal_of_it_is_passed_over() -> None:
    key = {"name": "metadata.name"}
    names, scales = (Rows(reflect_model(model, Api("nodes"), key=key, fields={})) for model in (Machine, Scale))
    for rows in (names, scales):
        rows.write(live({"a": (), "b": ()}), NOW)
        rows.write(live({"b": (), "c": ()}), NOW)
    assert set(Machine.objects.values_list("name", flat=True)) == {"a", "b", "c"}
    assert (Scale.objects.count(), scales.refused) == (0, 4)


def test_a_row_that_others_protect_stays_and_the_rest_is_written(caplog: pytest.LogCaptureFixture) -> None:
    rows = Rows(deployments())
    rows.write(whole({"shop/a": (1, "x"), "shop/b": (1, "x")}), NOW)
    Ticket.objects.create(deployment=Deployment.objects.get(name="a"))
    rows.write(live({"shop/a": GONE, "shop/b": GONE, "shop/c": (1, "x")}), NOW)
    assert set(stored()) == {"shop/a", "shop/c"}
    assert "ProtectedError" in caplog.text


def test_trouble_with_the_database_is_raised_and_nothing_is_written() -> None:
    rows = Rows(deployments())
    rows.write(whole({"shop/a": (1, "x")}), NOW)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE djangosite_deployment RENAME COLUMN image TO picture")
    with pytest.raises(OperationalError, match="image"):
        rows.write(live({"shop/a": GONE, "shop/b": (1, "x")}), NOW + timedelta(seconds=1))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE djangosite_deployment RENAME COLUMN picture TO image")
    assert stored() == {"shop/a": (1, "x")}
    assert state() == [("djangosite.deployment", NOW)]
