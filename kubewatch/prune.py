"""`prune`: cut fields out of objects, for `modify`.

It is said by paths as in YAML, which are checked before anything is requested. Only what is on the way to a field is
opened; the field itself is cut unread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

from .errors import InvalidInput

Path = tuple[str, ...]

_STEP = re.compile(r"""(?:^\.?|\.)(?P<name>[^.,\s\[\]'"]+)|\[(?P<quote>['"]?)(?P<key>[^\[\]'"]+)(?P=quote)\]""")
# Where the classes of models keep the names of their fields: msgspec, pydantic and official models, dataclasses.
_FIELDS = ("__struct_fields__", "model_fields", "openapi_types", "__dataclass_fields__")

_MANAGED_FIELDS = ("metadata", "managedFields")

# What every object is told apart by, stored under and related by.
_KEPT = frozenset({"name", "namespace", "resourceVersion", "uid", "ownerReferences"})
_METADATA = _KEPT | {
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "selfLink",
}


class Prune:
    """What `prune` gives: a function of an object. `paths` are those of the fields that it cuts.

    `managed_fields` says whether those of the metadata are among them, which nobody decodes, and `of_metadata` whether
    others of the metadata are; `other_paths` are all but that of managedFields.
    """

    def __init__(self, paths: tuple[Path, ...], name: str) -> None:
        self.paths = paths
        self.other_paths = tuple(path for path in paths if path != _MANAGED_FIELDS)
        self.managed_fields = self.other_paths != paths
        self.of_metadata = any(path[0] == "metadata" for path in self.other_paths)
        self.__name__ = name

    def __call__(self, obj: Any) -> None:
        for path in self.paths:
            _cut(obj, path)


def prune(*paths: str) -> Prune:
    """A function that cuts the fields at `paths` out of an object, for `modify`.

    A path is written as in YAML: `metadata.managedFields`, `status`. `*` is every field or every element:
    `data.*`, `spec.containers[*].env`. Keys with dots go in brackets: `metadata.annotations[example.io/team]`. A field
    that an object does not have is no error. On a model of your own the field is set to None.

    Raises InvalidInput for a path that says nothing, or that would cut what an object is known by (its apiVersion,
    kind, metadata.name, namespace, resourceVersion, uid or ownerReferences).

    >>> pod = {"metadata": {"name": "web", "managedFields": [{}]}, "status": {"phase": "Running"}}
    >>> prune("metadata.managedFields", "status")(pod)
    >>> pod
    {'metadata': {'name': 'web'}}
    """
    if not paths:
        raise InvalidInput('prune needs at least one path, such as "metadata.managedFields"')
    return Prune(tuple(map(_parse, paths)), ", ".join(paths))


def _parse(path: str) -> Path:
    if not isinstance(path, str):
        raise InvalidInput(f'a path is text such as "metadata.managedFields", not {path!r}')
    steps: list[str] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise InvalidInput(
                f"cannot read the path {path!r} from character {at + 1} on ({path[at:]!r}): write fields as in YAML, "
                "joined by dots, each path by itself, and a key that has dots in brackets, as in "
                "metadata.annotations[example.io/team]"
            )
        steps.append(step["name"] or step["key"])
        at = step.end()
    _check(path, steps)
    return tuple(steps)


def _check(path: str, steps: Sequence[str]) -> None:
    if not steps:
        raise InvalidInput('a path names a field, such as "metadata.managedFields"; this one is empty')
    first, second = steps[0], steps[1] if len(steps) > 1 else "*"
    if first in ("*", "apiVersion", "kind") or (first == "metadata" and (second == "*" or second in _KEPT)):
        raise InvalidInput(
            f"{path!r} would cut what an object is known by; apiVersion, kind and metadata.{{name, namespace, uid, "
            "resourceVersion, ownerReferences} always stay"
        )
    if first == "metadata" and second not in _METADATA:
        raise InvalidInput(f"{path!r}: metadata has no {second}; its fields are {', '.join(sorted(_METADATA))}")


def _cut(node: Any, path: Path) -> None:
    step, rest = path[0], path[1:]
    if isinstance(node, Mapping):
        for key in list(node) if step == "*" else (step,):
            if key in node:
                if rest:
                    _cut(node[key], rest)
                else:
                    _delete(node, key)
    elif isinstance(node, MutableSequence):
        # From the end on, so that what is cut does not shift what is to be cut.
        for index in range(len(node) - 1, -1, -1):
            if step in ("*", str(index)):
                if rest:
                    _cut(node[index], rest)
                else:
                    del node[index]
    elif node is not None and not isinstance(node, (str, bytes, int, float)):
        _cut_attributes(node, step, rest)


def _delete(node: Mapping[str, Any], key: str) -> None:
    if not isinstance(node, MutableMapping):
        raise InvalidInput(
            f"{key!r} cannot be cut, as the {type(node).__name__} it is in is read-only: prune inside of modify, "
            "as in watcher(api).modify(prune(…))"
        )
    del node[key]


def _cut_attributes(node: Any, step: str, rest: Path) -> None:
    cls = type(node)
    for name in next((getattr(cls, fields) for fields in _FIELDS if hasattr(cls, fields)), ()):
        if step != "*" and _plain(name) != _plain(step):
            continue
        value = getattr(node, name, None)
        if value is None:
            continue
        if rest:
            _cut(value, rest)
            continue
        try:
            setattr(node, name, None)
        except AttributeError as frozen:
            raise InvalidInput(
                f"{cls.__name__} is frozen, so {name} cannot be cut: leave the field out of the model instead"
            ) from frozen


def _plain(name: str) -> str:
    # A field is `podIPs` in YAML, and in models also `pod_ips` or `pod_i_ps`.
    return name.replace("_", "").lower()
