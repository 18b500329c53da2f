"""What a client must know to talk to the server: its address, whom to trust, and a token."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubernetes.client import Configuration


@dataclass(frozen=True)
class Access:
    """A server's address, a cluster administrator's token, and the PEM file that its certificate is verified by."""

    url: str
    token: str = field(repr=False)
    ca_file: Path

    def configuration(self) -> Configuration:
        """These as a configuration of the official client."""
        from kubernetes.client import Configuration

        configuration = Configuration()
        configuration.host = self.url
        configuration.ssl_ca_cert = str(self.ca_file)
        configuration.api_key = {"authorization": f"Bearer {self.token}"}
        configuration.proxy = None  # whatever HTTPS_PROXY says: the server is on this machine
        return configuration

    def write_kubeconfig(self, path: Path) -> None:
        """These as a kubeconfig file that needs no other file; JSON, which is YAML."""
        authority = base64.b64encode(self.ca_file.read_bytes()).decode()
        name = "envtest"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
            "current-context": name,
        }
        write_private(path, json.dumps(content, indent=2) + "\n")


def new_token() -> str:
    return secrets.token_urlsafe(32)


def new_ec_key() -> str:
    """A new private key on the curve P-256 in PEM, for signing service accounts' tokens.

    RFC 5915 lets the public half be left out, so a key is a number in a fixed frame: no cryptography is needed.
    https://www.rfc-editor.org/rfc/rfc5915#section-3
    """
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    number = 1 + secrets.randbelow(order - 1)
    der = bytes.fromhex("30310201010420") + number.to_bytes(32, "big") + bytes.fromhex("a00a06082a8648ce3d030107")
    return f"-----BEGIN EC PRIVATE KEY-----\n{base64.encodebytes(der).decode()}-----END EC PRIVATE KEY-----\n"


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, from its first byte on."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)  # the mode above is for a new file only
        file.write(text)
