"""Kinds by all their names."""

from __future__ import annotations

import pytest

from kubewatch.testing.apiserver.kinds import Kinds, Resource


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("pods", "v1 Pod"),
        ("po", "v1 Pod"),
        ("pod", "v1 Pod"),
        ("Pod", "v1 Pod"),
        ("deploy", "apps/v1 Deployment"),
        ("deployments.apps", "apps/v1 Deployment"),
        ("deployments.v1.apps", "apps/v1 Deployment"),
        ("events", "v1 Event"),
        ("events.events.k8s.io", "events.k8s.io/v1 Event"),
        ("hpa", "autoscaling/v2 HorizontalPodAutoscaler"),
    ],
)
def test_kubectls_names(name: str, found: str) -> None:
    resource = Kinds().named(name)
    assert resource is not None
    assert f"{resource.api_version} {resource.kind}" == found


def test_an_unknown_name_is_nobody() -> None:
    assert Kinds().named("unicorns") is None
    assert Kinds().named("pods.apps") is None
    assert Kinds().of("v1", "Unicorn") is None


def test_every_built_in_kind_is_found_by_its_type_and_by_its_path() -> None:
    kinds = Kinds()
    for one in kinds.all():
        assert kinds.of(one.api_version, one.kind) is one
        assert kinds.find(one.group, one.version, one.plural) is one


def test_kinds_come_and_go() -> None:
    kinds = Kinds()
    kinds.add([Resource("ex.io", version, "Foo", "foos", singular="foo") for version in ("v1", "v1beta1")])
    assert kinds.groups()["ex.io"] == ["v1", "v1beta1"]
    kinds.remove("ex.io", "foos")
    assert "ex.io" not in kinds.groups()


def test_events_are_stored_once_and_served_twice() -> None:
    kinds = Kinds()
    old, new = kinds.need("", "v1", "events"), kinds.need("events.k8s.io", "v1", "events")
    assert old.stored_in == new.stored_in
    stored = {"involvedObject": {"name": "x"}, "message": "m", "count": 2}
    served = new.outward(stored)
    assert served == {"regarding": {"name": "x"}, "note": "m", "deprecatedCount": 2}
    assert new.inward(served) == stored
