"""`reflect_model`: what is refused when it is made, and which row an object gives."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from kubewatch import Api, InvalidInput, Object
from kubewatch.decode import decode_object

pytest.importorskip("django", reason="the extra kubewatch[django] is not installed")

from django.test import override_settings

import tests.djangosite.setup  # noqa: F401
from kubewatch.contrib.django import Reflection, reflect_model
from kubewatch.contrib.django.reflection import overlap
from tests.djangosite.models import (
    Deployment,
    Heavy,
    Loose,
    Machine,
    Node,
    Pod,
    Scale,
    Sketch,
    Strict,
)

KEY = {"namespace": "metadata.namespace", "name": "metadata.name"}
DEPLOYMENTS: Api[Object] = Api("apps/v1", "Deployment")


def deployments(**fields: Any) -> Reflection[Object]:
    return reflect_model(Deployment, DEPLOYMENTS, key=KEY, fields=fields)


def deployment(json: bytes = b"{}") -> Object:
    meta = b'"metadata": {"namespace": "shop", "name": "web", "uid": "u1", "creationTimestamp": "2026-01-02T03:04:05Z"}'
    return decode_object(b"{" + meta + (b", " + json[1:] if json != b"{}" else b"}"), "apps/v1", "Deployment")


# Rows


def test_an_object_is_known_by_its_metadata() -> None:
    assert deployments().key_of(deployment()) == ("shop", "web")


def test_a_path_reads_as_kubectl_s_jsonpath_with_or_without_its_first_dot() -> None:
    web = deployment(
        b'{"spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "c", "image": "nginx"}]}}}}'
    )
    image = '.spec.template.spec.containers[?(@.name=="c")].image'
    assert deployments(replicas="spec.replicas", image=image).row_of(web) == (3, "nginx")


def test_a_function_may_give_what_it_finds_in_the_object_as_it_is() -> None:
    web = deployment(b'{"spec": {"selector": {"matchLabels": {"app": "web"}}}}')
    (labels,) = deployments(labels=lambda d: d.spec.selector.matchLabels).row_of(web)
    assert labels == {"app": "web"}
    assert type(labels) is dict


def test_what_an_object_has_not_becomes_the_field_s_default() -> None:
    fields = dict.fromkeys(("replicas", "image", "labels", "created", "owner"), ".spec.nothing")
    assert deployments(**fields).row_of(deployment()) == (1, "", {}, None, "nobody")


def test_a_default_counts_also_where_a_field_may_be_null() -> None:
    retries = reflect_model(Scale, Api("nodes"), key={"name": "metadata.name"}, fields={"retries": ".spec.retries"})
    assert retries.row_of(deployment()) == (3,)


def test_text_becomes_what_the_field_holds() -> None:
    created = deployments(created=".metadata.creationTimestamp")
    assert created.row_of(deployment()) == (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),)


def test_times_are_naive_where_the_settings_want_it() -> None:
    with override_settings(USE_TZ=False, TIME_ZONE="UTC"):
        assert deployments(created=".metadata.creationTimestamp").row_of(deployment()) == (
            datetime(2026, 1, 2, 3, 4, 5),
        )


def test_an_object_without_a_namespace_has_an_empty_one() -> None:
    node = decode_object(b'{"metadata": {"name": "n1"}}', "v1", "Node")
    assert deployments().key_of(node) == ("", "n1")


def test_a_reflection_is_called_after_its_model_and_its_scope() -> None:
    assert deployments().name == "djangosite.deployment"
    scoped = reflect_model(Node, Api("nodes"), key={"name": "metadata.name"}, fields={}, scope={"cluster": "prod"})
    assert scoped.name == "djangosite.node cluster=prod"
    assert scoped.label == "nodes -> djangosite.node cluster=prod"


def test_an_error_is_told_without_the_row_that_a_database_quotes_and_of_secrets_without_a_word() -> None:
    error = ValueError("null in column image\nDETAIL: Failing row contains (s3cret)")
    secrets = reflect_model(Deployment, Api("secrets"), key=KEY, fields={})
    assert deployments().told(error) == "ValueError: null in column image"
    assert secrets.told(ValueError("s3cret")) == "ValueError"


# What is refused


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (object, "needs a Django model"),
        (Sketch, "is abstract"),
        (Heavy, "has a table of its own"),
        (Loose, "needs a unique constraint on exactly name"),
        (Node, "needs a unique constraint on exactly name"),
    ],
)
def test_a_model_that_rows_cannot_be_found_in_or_written_to_in_bulk_is_refused(model: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        reflect_model(model, Api("nodes"), key={"name": "metadata.name"}, fields={})


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"key": KEY | {"image": "spec.image"}}, r"key\['image'\] is one of metadata.namespace, metadata.name"),
        ({"key": {"namespace": "metadata.namespace"}}, "key needs metadata.name"),
        ({"key": {}}, "key needs metadata.name"),
        ({"key": ["name"]}, "key is a mapping"),
        ({"key": {"nmae": "metadata.name"}}, r"key\['nmae'\]: Deployment has no such column, only id, namespace"),
        ({"fields": {"ticket": ".spec"}}, "no such column"),
        ({"fields": {"name": ".metadata.name"}}, "given more than once"),
        ({"fields": {"id": ".metadata.uid"}}, "primary key"),
        ({"fields": {"replicas": 3}}, r"fields\['replicas'\] is a path"),
        ({"fields": {"replicas": ".spec[replicas"}}, r"fields\['replicas'\] cannot be read"),
        ({"scope": {"image": "nginx"}}, "unique constraint on exactly image, name, namespace"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_when_it_is_made(arguments: dict[str, Any], why: str) -> None:
    given: dict[str, Any] = {"model": Deployment, "api": DEPLOYMENTS, "key": KEY, "fields": {}} | arguments
    with pytest.raises(InvalidInput, match=why):
        reflect_model(**given)


def test_a_name_too_long_for_the_table_of_states_is_refused() -> None:
    with pytest.raises(InvalidInput, match="200 characters"):
        reflect_model(Node, Api("nodes"), key={"name": "metadata.name"}, fields={}, scope={"cluster": "c" * 200})


def test_a_foreign_key_that_the_database_enforces_is_refused_as_no_order_holds_among_kinds() -> None:
    uid = {"uid": "metadata.uid"}
    with pytest.raises(InvalidInput, match="db_constraint=False"):
        reflect_model(Strict, Api("pods"), key=uid, fields={"machine": ".spec.nodeName"})
    pods = reflect_model(Pod, Api("pods"), key=uid, fields={"machine": ".spec.nodeName"})
    assert list(pods.fields) == ["machine_id"]


def test_a_primary_key_tells_rows_apart_as_well() -> None:
    machines = reflect_model(Machine, Api("nodes"), key={"name": "metadata.name"}, fields={"size": ".spec.size"})
    assert list(machines.key) == ["name"]


# Two of them


def test_reflections_overlap_unless_their_scopes_or_databases_or_tables_differ() -> None:
    def nodes(cluster: str, **more: Any) -> Reflection[Object]:
        scope = {"cluster": cluster}
        return reflect_model(Node, Api("nodes"), key={"name": "metadata.name"}, fields={}, scope=scope, **more)

    assert overlap(deployments(), deployments())
    assert overlap(nodes("a"), nodes("a"))
    assert not overlap(nodes("a"), nodes("b"))
    assert not overlap(nodes("a"), nodes("a", using="other"))
    assert not overlap(nodes("a"), deployments())
