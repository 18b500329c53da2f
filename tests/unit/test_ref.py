"""ObjectRef: identity and text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from kubernetes.client import V1ObjectMeta, V1Pod
from pydantic import BaseModel

from kubewatch.api import Api
from kubewatch.decode import decode_object
from kubewatch.errors import InvalidInput
from kubewatch.ref import ObjectRef, OwnerReference, owner_reference
from kubewatch.sending import to_json


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (ObjectRef("Pod", "n", "ns"), "Pod.v1./n.ns"),
        (ObjectRef("Deployment", "n", "ns", "apps/v1"), "Deployment.v1.apps/n.ns"),
        (ObjectRef("Node", "n"), "Node.v1./n"),
    ],
)
def test_the_text_form_names_kind_version_group_name_and_namespace(ref: ObjectRef, text: str) -> None:
    """Row 24: display_should_follow_expected_format."""
    assert str(ref) == text


def test_a_reference_prints_the_same_however_it_was_made() -> None:
    """Row 25: display_should_be_transparent_to_representation."""

    class Web(msgspec.Struct):
        pass

    Web.kind, Web.api_version = "Web", "example.com/v1"  # type: ignore[attr-defined]  # a model names its kind so
    assert str(ObjectRef.to(Web, "a", "n")) == str(ObjectRef("Web", "a", "n", "example.com/v1"))


class Struct(msgspec.Struct):
    api_version: str = "example.com/v1"
    kind: str = "Web"


@dataclass
class Data:
    api_version: str = "example.com/v1"
    kind: str = "Web"


class Pydantic(BaseModel):
    api_version: str = "example.com/v1"
    kind: str = "Web"


@pytest.mark.parametrize("model", [Struct, Data, Pydantic, Struct(), Data(), Api(Struct)])
def test_models_are_referred_to_by_the_kind_that_they_name(model: Any) -> None:
    assert ObjectRef.to(model, "a", "n") == ObjectRef("Web", "a", "n", "example.com/v1")


class Nothing:
    pass


@pytest.mark.parametrize("what", [Api("deploy"), V1Pod, V1Pod(), Nothing, Nothing()])
def test_what_does_not_say_its_kind_is_refused(what: Any) -> None:
    """An Api that was given a name alone learns it by a request; an official model does not tell its group."""
    with pytest.raises(InvalidInput, match="kind"):
        ObjectRef.to(what, "a")


def test_equality_and_hash_ignore_version_and_uid() -> None:
    """Row 26: comparison_should_ignore_extra."""
    one = ObjectRef("Pod", "a", "n", resource_version="1", uid="x")
    two = ObjectRef("Pod", "a", "n", resource_version="2", uid="y")
    assert one == two
    assert hash(one) == hash(two)


def test_unequal_is_the_opposite_of_equal() -> None:
    assert (ObjectRef("Pod", "a", "n", uid="1") != ObjectRef("Pod", "a", "n", uid="2")) is False
    assert ObjectRef("Pod", "a", "n") != ObjectRef("Pod", "b", "n")
    assert ObjectRef("Pod", "a") != "a"


def test_the_kind_is_part_of_the_identity() -> None:
    """Row 27: erased refs of different kinds differ."""
    assert ObjectRef("Pod", "a", "n") != ObjectRef("ConfigMap", "a", "n")


def test_with_and_without_namespace_differ() -> None:
    """Row 28: also for a cluster-scoped kind."""
    assert ObjectRef("Node", "a") != ObjectRef("Node", "a", "n")


def test_an_owner_is_referred_to_in_the_owned_objects_namespace() -> None:
    owner = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="rs", uid="u")
    ref = ObjectRef.from_owner(owner, "shop")
    assert str(ref) == "ReplicaSet.v1.apps/rs.shop"
    assert ref.uid == "u"


# owner_reference


def test_an_owner_is_named_by_its_identity_and_is_the_controller() -> None:
    owner = decode_object(
        b'{"metadata": {"name": "home", "namespace": "shop", "uid": "u-1"}}', "example.com/v1", "Website"
    )
    reference = owner_reference(owner)
    assert reference == OwnerReference("example.com/v1", "Website", "home", "u-1", controller=True)
    assert owner_reference(owner, controller=False).controller is None
    assert msgspec.json.decode(to_json({"metadata": {"ownerReferences": [reference]}})) == {
        "metadata": {
            "ownerReferences": [
                {"apiVersion": "example.com/v1", "kind": "Website", "name": "home", "uid": "u-1", "controller": True}
            ]
        }
    }


def test_an_official_model_may_be_an_owner() -> None:
    pod = V1Pod(api_version="v1", kind="Pod", metadata=V1ObjectMeta(name="web", uid="u-1"))
    assert owner_reference(pod) == OwnerReference("v1", "Pod", "web", "u-1", controller=True)


@pytest.mark.parametrize("owner", [V1Pod(metadata=V1ObjectMeta(name="web")), {"kind": "Pod"}, None])
def test_what_no_server_has_stored_owns_nothing(owner: Any) -> None:
    with pytest.raises(InvalidInput, match="as the server has it"):
        owner_reference(owner)
