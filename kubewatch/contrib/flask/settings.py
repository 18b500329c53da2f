"""`Settings`: the configuration keys of an app, checked where they enter."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from kubewatch.client import Client
from kubewatch.errors import InvalidInput

PREFIX = "KUBEWATCH_"

# What the environment says is read as JSON. https://flask.palletsprojects.com/en/stable/config/
TEXT = """text or None (in the environment, 12 is a number and '"12"' is text)"""


@dataclass(frozen=True)
class Settings:
    """What an app's configuration says; each field is a key, in capitals and after `KUBEWATCH_`.

    >>> Settings.of({"KUBEWATCH_NAMESPACE": "shop", "SECRET_KEY": "…"}).namespace
    'shop'

    - `kubeconfig`, `context`: file and context; None: what kubectl would take, or the service account of the pod.
    - `client`: a `Client` instead of those, as in tests.
    - `namespace`: for stores that name none themselves; None: all namespaces.
    - `autostart`: whether the first request starts the stores. Without, the first read of each does.
    - `ready_timeout`: seconds that a request waits at most for the first list of a store; then it is a 503.
    - `readiness_path`: where the readiness view is; None: nowhere.
    - `stale_after`: seconds without word from the server after which a store counts as stale; None: never. A quiet
      server sends a bookmark about once a minute.

    Raises `InvalidInput` naming the key.
    """

    kubeconfig: str | None = None
    context: str | None = None
    client: Client | None = None
    namespace: str | None = None
    autostart: bool = True
    ready_timeout: float = 10.0
    readiness_path: str | None = "/readyz"
    stale_after: float | None = 90.0

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """What `config` says; a key that begins with `KUBEWATCH_` and means nothing is refused, too."""
        known = {field.name.upper(): field.name for field in fields(cls)}
        given = {key[len(PREFIX) :]: value for key, value in config.items() if key.startswith(PREFIX)}
        for key in given.keys() - known.keys():
            alike = difflib.get_close_matches(key, known, 1) or known
            raise InvalidInput(
                f"{PREFIX}{key} is no configuration key; is it {' or '.join(PREFIX + one for one in alike)}?"
            )
        return cls(**{known[key]: value for key, value in given.items()})

    def __post_init__(self) -> None:
        path, stale_after = self.readiness_path, self.stale_after
        for name in ("kubeconfig", "context", "namespace"):
            value = getattr(self, name)
            self._check(name, value is None or (isinstance(value, str) and value != ""), TEXT)
        self._check("client", self.client is None or isinstance(self.client, Client), "a kubewatch.Client or None")
        self._check("autostart", isinstance(self.autostart, bool), "True or False (in the environment: true or false)")
        self._check("ready_timeout", _is_seconds(self.ready_timeout), "a number of seconds, 0 or more")
        plain = path is None or (isinstance(path, str) and path.startswith("/") and "<" not in path)
        self._check("readiness_path", plain, "a path that begins with '/' and has no variables, or None")
        positive = stale_after is None or (_is_seconds(stale_after) and stale_after > 0)
        self._check("stale_after", positive, "a number of seconds, more than 0, or None")
        if self.client is not None and (self.kubeconfig or self.context):
            raise InvalidInput(f"{PREFIX}CLIENT is the client itself: leave {PREFIX}KUBECONFIG and {PREFIX}CONTEXT out")

    def _check(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise InvalidInput(f"{PREFIX}{name.upper()} is {wanted}, not {getattr(self, name)!r}")

    def make_client(self) -> Client | None:
        """The client that all stores of an app share; None for the default one. Makes no request, reads no file."""
        if self.kubeconfig or self.context:
            return Client.from_kubeconfig(self.kubeconfig, self.context)
        return self.client


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
