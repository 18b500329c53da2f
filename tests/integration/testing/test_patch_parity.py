"""Patches and applies end the same on the embedded API server as on a real one: object, managers and refusals."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.integration.testing.parity import GROUP, Server, defined, lasting
from tests.integration.testing.patch_cases import CASES, FREE, TYPED, Json, Step, custom_steps


def run(server: Server, root: str, plural: str, steps: list[Step]) -> list[Any]:
    """What a server answers to the steps of a case."""
    collection = f"{root}/namespaces/{server.namespace}/{plural}"
    answers: list[Any] = []
    version = ""
    for step in steps:
        query = {"fieldManager": step.manager} | ({"force": "true"} if step.force else {})
        method, path = "POST", collection
        if step.media_type != "application/json":
            method, path = "PATCH", "/".join(filter(None, (collection, "x", step.subresource)))
        code, answer = server.request(method, f"{path}?{urlencode(query)}", step.body, step.media_type)
        if code >= 400:
            answers.append((code, answer.get("reason", ""), _causes(answer)))
            continue
        stored = answer["metadata"]["resourceVersion"]
        answers.append((code, "stored" if stored != version else "not stored", lasting(answer)))
        version = stored
    return answers


def _causes(status: Json) -> list[Any]:
    causes = (status.get("details") or {}).get("causes", [])
    return sorted((one.get("reason"), one.get("field"), one.get("message")) for one in causes)


def compare(servers: tuple[Server, Server], root: str, plural: str, steps: list[Step]) -> None:
    embedded, real = (run(server, root, plural, steps) for server in servers)
    for number, (ours, theirs) in enumerate(zip(embedded, real, strict=True)):
        assert ours == theirs, f"step {number}: {steps[number]}"


@pytest.mark.parametrize("case", CASES)
def test_both_servers_answer_the_same(servers: tuple[Server, Server], case: str) -> None:
    first = CASES[case][0].body
    root = "/api/v1" if first["apiVersion"] == "v1" else f"/apis/{first['apiVersion']}"
    compare(servers, root, first["kind"].lower() + "s", CASES[case])


@pytest.mark.parametrize(("kind", "schema"), [("Free", FREE), ("Typed", TYPED)])
def test_both_servers_answer_the_same_for_custom_resources(
    servers: tuple[Server, Server], kind: str, schema: Json
) -> None:
    embedded, real = servers
    with defined(embedded, kind, schema), defined(real, kind, schema):
        compare(servers, f"/apis/{GROUP}/v1", f"{kind.lower()}s", custom_steps(kind))
