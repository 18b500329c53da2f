"""Two servers side by side: what a comparison of the embedded API server with a real one needs."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]

GROUP = "parity.example.com"


@dataclass
class Server:
    """Raw HTTP, so that nothing of the client side can hide a difference."""

    url: str
    token: str | None
    ca_file: str | None
    namespace: str = ""

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        media_type: str = "application/json",
        accept: str = "application/json",
    ) -> tuple[int, Json]:
        return self.send(method, path, None if body is None else json.dumps(body), media_type, accept)

    def send(
        self,
        method: str,
        path: str,
        text: str | None,
        media_type: str = "application/json",
        accept: str = "application/json",
    ) -> tuple[int, Json]:
        """The same for a body that is a text already."""
        parts = urlsplit(self.url)
        address = (parts.hostname or "", parts.port)
        connection = (
            HTTPSConnection(*address, context=ssl.create_default_context(cafile=self.ca_file), timeout=30)
            if self.ca_file
            else HTTPConnection(*address, timeout=30)
        )
        headers = {"Content-Type": media_type, "Accept": accept, "User-Agent": "parity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            is_json = answer.getheader("Content-Type", "").startswith("application/json")
            read = answer.read()  # nothing, where HEAD was asked
            return answer.status, json.loads(read) if is_json and read else {}
        finally:
            connection.close()


# Who an object is, and when and how often it was stored: never the same twice.
VOLATILE = ("uid", "resourceVersion", "creationTimestamp")


def lasting(obj: Json) -> Json:
    """An object without what no two servers have in common."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in VOLATILE}
    managers = [{**entry, "time": bool(entry.get("time"))} for entry in metadata.pop("managedFields", ())]
    # Entries are sorted by time, which here is the same second or is not.
    managers.sort(key=lambda entry: (entry["manager"], entry["operation"], entry.get("subresource", "")))
    return {**obj, "metadata": {**metadata, "managedFields": managers}}


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@contextmanager
def defined(server: Server, kind: str, schema: Json) -> Iterator[None]:
    """Defines a kind of custom resource, and waits until it is served, and in the end until it is gone."""
    names = {"kind": kind, "plural": f"{kind.lower()}s", "singular": kind.lower(), "listKind": f"{kind}List"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition: Json = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    collection, place = f"/apis/{GROUP}/v1/{names['plural']}", f"{DEFINITIONS}/{definition['metadata']['name']}"
    code, answer = server.request("POST", DEFINITIONS, definition)
    assert code == 201, answer
    try:
        until(server, collection, 200)
        yield
    finally:
        server.request("DELETE", place)
        until(server, place, 404)  # it goes when its objects have, and until then none of its name can be made
        until(server, collection, 404)


def until(server: Server, path: str, code: int) -> None:
    """Waits until a GET is answered so."""
    deadline = monotonic() + 30
    while server.request("GET", path)[0] != code:
        assert monotonic() < deadline, f"{path} is not answered {code} after 30 s"
