"""Which kind a Python thing stands for: a model class, or a list method of the official client."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import msgspec

from .discovery import Discovery, Resource
from .errors import InvalidInput

Find = Callable[[Discovery], Resource]

_VERSION = r"V\d+(?:(?:alpha|beta)\d+)?"
_official_model = re.compile(rf"([A-Z][A-Za-z]*?)?({_VERSION})([A-Z]\w*)").fullmatch
_official_api = re.compile(rf"(\w+?)({_VERSION})Api").fullmatch

# The methods that take the kind as arguments, and the argument that holds its plural.
_CUSTOM = {
    "list_namespaced_custom_object": "plural",
    "list_cluster_custom_object": "plural",
    "list_custom_object_for_all_namespaces": "resource_plural",
}


def of_model(model: type[Any]) -> tuple[str, str, Find]:
    """API version and kind of a model class, as far as the class tells, and how to find it on a server.

    >>> class Foo(msgspec.Struct):
    ...     api_version: str = "example.com/v1"
    ...     kind: str = "Foo"
    >>> of_model(Foo)[:2]
    ('example.com/v1', 'Foo')

    Raises InvalidInput for a class that does not name its kind.
    """
    official = _official_model(model.__name__) if model.__module__.startswith("kubernetes.") else None
    if official is not None:
        return _official(official[1], official[2], official[3], official[3])
    kind = _value(model, "kind")
    api_version = _value(model, "api_version", "apiVersion")
    if not api_version and _value(model, "version"):
        api_version = "/".join(filter(None, (_value(model, "group"), _value(model, "version"))))
    if not (api_version and kind):
        raise InvalidInput(
            f"{model.__name__} does not say which kind it models: give the class api_version = 'example.com/v1' and "
            f"kind = {model.__name__!r}"
        )
    return api_version, kind, lambda discovery: discovery.kind(api_version, kind)


def _value(model: Any, *names: str) -> str:
    # The text that a class or the default of one of its fields says; empty where it says none.
    defaults: dict[str, Any] = {}
    if isinstance(model, type) and issubclass(model, msgspec.Struct):
        defaults = {field.name: field.default for field in msgspec.structs.fields(model)}
    elif dataclasses.is_dataclass(model):
        defaults = {field.name: field.default for field in dataclasses.fields(model)}
    else:
        defaults = {name: field.default for name, field in getattr(model, "model_fields", {}).items()}
    for name in names:
        for value in (defaults.get(name), getattr(model, name, None)):
            if isinstance(value, str) and value:
                return value
    return ""


def of_list_method(method: Any, arguments: dict[str, Any]) -> tuple[str, str, str | None, Find]:
    """API version, kind and namespace that a bound list method of the official client lists with `arguments`.

    Raises InvalidInput for another function, and for arguments that choose among the objects: those are a Config's.
    """
    owner, name = type(method.__self__).__name__, getattr(method, "__name__", "")
    arguments = dict(arguments)
    namespace = arguments.pop("namespace", None)
    if name in _CUSTOM:
        namespaced = name == "list_namespaced_custom_object"
        found = _custom(name, arguments)
    else:
        api = _official_api(owner)
        if api is None or not name.startswith("list_"):
            raise InvalidInput(f"{owner}.{name} is no list method of the official client, such as list_namespaced_pod")
        word = name.removeprefix("list_").removesuffix("_for_all_namespaces")
        namespaced = word.startswith("namespaced_")
        word = word.removeprefix("namespaced_").replace("_", "")
        said = re.search(r"\bkind (\w+)", method.__doc__ or "")
        found = _official(api[1], api[2], word, said[1] if said else word)
    if arguments:
        raise InvalidInput(f"{', '.join(arguments)}: what to choose and how goes into Config(...), or into .list(...)")
    if namespaced and not namespace:
        raise InvalidInput(f"{name} needs the argument 'namespace': give it to Api(...), too")
    if namespace and not namespaced:
        raise InvalidInput(f"{name} lists all namespaces: use the method for one namespace, or leave namespace out")
    return *found[:2], namespace, found[2]


def _official(group: str | None, version: str, word: str, kind: str) -> tuple[str, str, Find]:
    # The full name of a group other than Core is known to the server only.
    version, word = version.lower(), word.lower()
    return version if group == "Core" else "", kind, lambda discovery: discovery.official(group, version, word)


def _custom(name: str, arguments: dict[str, Any]) -> tuple[str, str, Find]:
    try:
        group, version, plural = (arguments.pop(field) for field in ("group", "version", _CUSTOM[name]))
    except KeyError as missing:
        raise InvalidInput(f"{name} needs the argument {missing}: give it to Api(...), too") from None
    return f"{group}/{version}", plural, lambda discovery: discovery.named(f"{plural}.{version}.{group}")
