"""The setting KUBEWATCH, checked where it enters.

KUBEWATCH = {
    "STORES": {"pods": {"API": "pods", "NAMESPACE": "shop", "CONFIG": {"label_selector": "app=web"}}},
    "REFLECT": ["inventory.kube.deployments", "inventory.kube.nodes"],
}
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from kubewatch.api import Api
from kubewatch.client import Client
from kubewatch.config import Config
from kubewatch.controller.checks import kind_of
from kubewatch.errors import InvalidInput
from kubewatch.live import LiveStore, live

from .reflection import Reflection

_STORE_KEYS = ("API", "NAMESPACE", "CONFIG", "MODIFY", "INDEXES")


@dataclass(frozen=True)
class Conf:
    """What KUBEWATCH says; each field is a key, in capitals. All may be left out.

    - `stores`: stores by name, each a mapping: `API` (kubectl's name of a kind, or a pair such as
      `("apps/v1", "Deployment")`, a model class, an `Api`), `NAMESPACE` (None: all), `CONFIG` (the arguments of a
      `kubewatch.Config`), `MODIFY` and `INDEXES` (as for `kubewatch.live`).
    - `reflect`: dotted paths to what `reflect_model` made.
    - `client`: a `kubewatch.Client` for the stores; None: the cluster that kubectl would take, or that of the pod.
    - `stale_after`: seconds without word from the server after which a store, or a reflection, counts as stale. A quiet
      server sends a bookmark about once a minute.
    - `ready_timeout`: seconds that a read waits at most for a store's first list.
    """

    stores: Mapping[str, Any] = field(default_factory=dict)
    reflect: Sequence[str] = ()
    client: Client | None = None
    stale_after: float = 90.0
    ready_timeout: float = 10.0


def read() -> Conf:
    """What the settings say at this moment. Raises InvalidInput naming the key."""
    given = getattr(settings, "KUBEWATCH", {})
    keys = {name.upper(): name for name in Conf.__dataclass_fields__}
    _check(isinstance(given, Mapping), f"KUBEWATCH is a dict with the keys {', '.join(keys)}, not {given!r}")
    _check_keys("KUBEWATCH", given, keys)
    conf = Conf(**{keys[key]: value for key, value in given.items()})
    _check(isinstance(conf.stores, Mapping), f"KUBEWATCH['STORES'] is a dict of stores by name, not {conf.stores!r}")
    _check(
        isinstance(conf.reflect, Sequence)
        and not isinstance(conf.reflect, str)
        and all(isinstance(path, str) for path in conf.reflect),
        f"KUBEWATCH['REFLECT'] is a list of dotted paths such as 'inventory.kube.deployments', not {conf.reflect!r}",
    )
    _check(
        conf.client is None or isinstance(conf.client, Client),
        f"KUBEWATCH['CLIENT'] is a kubewatch.Client or None, not {conf.client!r}",
    )
    for key in ("stale_after", "ready_timeout"):
        value = getattr(conf, key)
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
        _check(number, f"KUBEWATCH[{key.upper()!r}] is a number of seconds, more than 0, not {value!r}")
    return conf


def make_store(conf: Conf, name: str) -> LiveStore[Any]:
    """The store called `name`, not started. Raises InvalidInput."""
    where, entry = f"KUBEWATCH['STORES'][{name!r}]", conf.stores[name]
    _check(isinstance(entry, Mapping), f"{where} is a dict with the keys {', '.join(_STORE_KEYS)}, not {entry!r}")
    _check_keys(where, entry, _STORE_KEYS)
    _check("API" in entry, f"{where} needs 'API', the kind to keep: 'pods', or ('apps/v1', 'Deployment')")
    config = entry.get("CONFIG", {})
    _check(isinstance(config, Mapping), f"{where}['CONFIG'] is a dict of the arguments of a Config, not {config!r}")
    api, namespace, client = entry["API"], entry.get("NAMESPACE"), conf.client
    try:
        if isinstance(api, (list, tuple)):
            api, namespace, client = Api(*api, namespace=namespace, client=client), None, None
        elif isinstance(api, Api):
            client = None
        store: LiveStore[Any] = live(
            api,
            namespace,
            Config(**config),
            modify=entry.get("MODIFY"),
            indexes=entry.get("INDEXES"),
            client=client,
            default_timeout=conf.ready_timeout,
        )
        return store
    except (InvalidInput, TypeError) as error:
        raise InvalidInput(f"{where}: {error}") from error


def load_reflection(path: str) -> Reflection[Any]:
    """What `reflect_model` made at a dotted path. Raises InvalidInput, also for what importing it raises."""
    try:
        found = import_string(path)
    except Exception as error:  # whatever the module raises
        raise InvalidInput(
            f"KUBEWATCH['REFLECT']: {path} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    _check(
        isinstance(found, Reflection),
        f"{path} is {kind_of(found)}, and not what reflect_model(…) gives",
    )
    reflection: Reflection[Any] = found
    return reflection


def _check_keys(where: str, given: Collection[Any], known: Collection[str]) -> None:
    for key in given:
        alike = difflib.get_close_matches(str(key), known, 1) or known
        _check(key in known, f"{where} has no key {key!r}; is it {' or '.join(alike)}?")


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise InvalidInput(message)
