"""Server-side apply, and the managers of fields that other requests leave behind.

The rules are those of Kubernetes' structured merge: an applier owns what it applies; what it applied before and leaves
out now is removed unless somebody else owns it; a field that another manager owns and has another value is a conflict.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from kubewatch.testing.apiserver import last_applied
from kubewatch.testing.apiserver.builtin_schemas import is_builtin, schema_of
from kubewatch.testing.apiserver.fieldsets import NO_FIELDS, FieldSet, Path, path_text
from kubewatch.testing.apiserver.managed_fields import (
    Entry,
    ManagerId,
    Managers,
    capped,
    less,
    manager_id,
    of,
    read,
    stripped,
    with_managers,
)
from kubewatch.testing.apiserver.patch_error import PatchError, gave_up, malformed
from kubewatch.testing.apiserver.schemas import Schema
from kubewatch.testing.apiserver.typed import (
    Difference,
    NoKey,
    NotOfSchema,
    fields_of,
    merge,
    with_named_fields,
    without,
)
from kubewatch.testing.apiserver.typed_form import filled, tidied

Json = dict[str, Any]

BEFORE_FIRST_APPLY = "before-first-apply"
_IDENTITY = ("name", "namespace", "uid", "resourceVersion")


class Conflict(NamedTuple):
    """A field that somebody else manages: the manager's name, the field, and the text of the Status' cause."""

    manager: str
    field: str
    message: str


class ApplyConflict(Exception):
    """The applied object sets fields that others manage: 409 Conflict, a cause of type FieldManagerConflict for each.

    ``conflicts`` has them, ``message`` is the Status' message.
    """

    def __init__(self, conflicts: Collection[Conflict]) -> None:
        self.conflicts = tuple(conflicts)
        self.message = _conflict_message(self.conflicts)
        super().__init__(self.message)


def _conflict_message(conflicts: tuple[Conflict, ...]) -> str:
    if len(conflicts) == 1:
        return f"Apply failed with 1 conflict: {conflicts[0].message}: {conflicts[0].field}"
    lines: list[str] = []
    for text in dict.fromkeys(one.message for one in conflicts):
        lines.append(text.replace("conflict with", "conflicts with", 1) + ":")
        lines += [f"- {one.field}" for one in conflicts if one.message == text]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def server_side_apply(
    live: Mapping[str, Any] | None,
    applied: Mapping[str, Any],
    *,
    manager: str,
    force: bool,
    now: str,
    subresource: str = "",
    schema: Schema | None = None,
    reset: Collection[str] = (),
) -> Json:
    """What ``live`` (None: nothing there yet) becomes when ``manager`` applies ``applied``; neither is changed.

    The result shares parts with both. ``now`` is an RFC 3339 time. ``schema`` holds the merge rules where the kind is
    not built in (``custom_schema`` of its CRD). ``reset`` names top-level fields which this request cannot set, such as
    ``status`` where it is a subresource; a request to the status subresource sets nothing else. An apply that changes
    nothing returns an object equal to ``live``, times included.

    >>> one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    >>> found = server_side_apply(None, one, manager="me", force=False, now="2024-01-01T00:00:00Z")
    >>> found["metadata"]["managedFields"][0]["fieldsV1"]
    {'f:data': {'f:a': {}}}

    Raises ``ApplyConflict`` when others manage fields that would change and ``force`` is false, ``PatchError`` when
    ``applied`` is not an object of live's kind, names managedFields, or has list items that cannot be told apart.
    https://kubernetes.io/docs/reference/using-api/server-side-apply/
    """
    _check(live, applied)
    api_version, kind = applied["apiVersion"], applied["kind"]
    schema = schema or schema_of(kind, api_version)
    config = {name: part for name, part in applied.items() if name not in reset}
    if subresource == "status":
        config = _status_only(config)
    base = {"apiVersion": api_version, "kind": kind} if live is None else dict(live)
    me = manager_id(manager, "Apply", api_version, subresource)
    try:
        managers = _managers_so_far(live, base, schema, now)
        bare = with_managers(base, {})
        mine = last_applied.fields_applied(bare, schema) if manager == last_applied.MANAGER else NO_FIELDS
        merged, managers = _applied(bare, config, managers, me, api_version, schema, force, mine)
    except NotOfSchema as problem:
        why = f"failed to create typed patch object ({kind}): {problem}"
        if isinstance(problem, NoKey) and is_builtin(api_version):
            raise PatchError(why, "Invalid", 422) from problem
        raise gave_up(why) from problem
    except ValueError as problem:
        raise gave_up(f"failed to decode managed fields: {problem}") from problem
    merged = tidied(merged, kind, api_version)
    if manager == last_applied.MANAGER:
        merged = last_applied.kept_up_to_date(merged, config)
    if merged != bare and me in managers:
        managers = {**managers, me: replace(managers[me], time=now)}
    return _with_old_times(live, with_managers(merged, managers))


def update_managed_fields(
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any],
    *,
    manager: str,
    operation: str = "Update",
    now: str,
    subresource: str = "",
    schema: Schema | None = None,
) -> Json:
    """``new``, an object as a create (``old`` is None), update or patch request leaves it, with its managers.

    ``manager`` gets what differs from ``old``, and the others lose it. Like the real server, a request may send
    ``managedFields`` itself (an empty list forgets all managers, for good), and where an object's are malformed they
    are dropped.
    """
    schema = schema or schema_of(new["kind"], new["apiVersion"])
    managers = _managers_to_update(old, new, subresource)
    if old is not None and not managers:
        return with_managers(new, {})
    me = manager_id(manager, operation, new["apiVersion"], subresource)
    before = {} if old is None else with_managers(old, {})
    try:
        managers = _updated(before, with_managers(new, {}), managers, me, now, schema)
    except NotOfSchema:
        managers = {}
    return with_managers(new, capped(managers))


def _check(live: Mapping[str, Any] | None, applied: Mapping[str, Any]) -> None:
    if not isinstance(applied, Mapping) or not applied.get("apiVersion") or not applied.get("kind"):
        raise malformed("error decoding YAML: an apply patch is an object with apiVersion and kind")
    if of(applied) is not None:
        raise malformed("metadata.managedFields must be nil")
    if live is None:
        return
    for name in ("apiVersion", "kind"):
        if live.get(name) not in (None, applied[name]):
            version = applied["apiVersion"]
            version = version if "/" in version else f"/{version}"
            raise malformed(f"invalid object type: {version}, Kind={applied['kind']}")


def _status_only(applied: Json) -> Json:
    """What a request to the status subresource can set, and what says which object is meant."""
    metadata = applied.get("metadata") or {}
    return {
        **{name: part for name, part in applied.items() if name in ("apiVersion", "kind", "status")},
        "metadata": {name: part for name, part in metadata.items() if name in _IDENTITY},
    }


def _managers_so_far(live: Mapping[str, Any] | None, base: Json, schema: Schema, now: str) -> Managers:
    """An object of which nobody is known to manage anything has one manager for all that is there."""
    managers = read(of(live))
    if managers or live is None:
        return managers
    before = manager_id(BEFORE_FIRST_APPLY, "Update", base["apiVersion"], "")
    return _updated({}, with_managers(base, {}), {}, before, now, schema)


def _managers_to_update(old: Mapping[str, Any] | None, new: Mapping[str, Any], subresource: str) -> Managers:
    sent = None if subresource else of(new)
    if sent in ([], [{}]):
        return {}
    try:
        managers = read(sent)
        if managers:
            return managers
    except (ValueError, AttributeError):
        pass  # what cannot be read does not count: what is stored does
    try:
        return read(of(old))
    except (ValueError, AttributeError):
        return {}


def _updated(old: Json, new: Json, managers: Managers, me: ManagerId, now: str, schema: Schema) -> Managers:
    """The managers after an update of ``old`` to ``new`` by ``me``."""
    old, new = (filled(obj, new["kind"], new["apiVersion"]) for obj in (old, new))
    difference = Difference(old, new, schema)
    changed = frozenset(difference.added | difference.modified)
    lost = changed | difference.removed
    managers = less(managers, [(identity, lost) for identity in managers])
    mine = stripped(changed)
    if mine:
        before = managers.get(me)
        managers[me] = Entry(mine | (before.fields if before else NO_FIELDS), new["apiVersion"], now)
    return managers


def _applied(
    live: Json,
    config: Json,
    managers: Managers,
    me: ManagerId,
    api_version: str,
    schema: Schema,
    force: bool,
    free: FieldSet,
) -> tuple[Json, Managers]:
    """The object and the managers after an apply of ``config``. Fields that are ``free`` are no conflict."""
    merged = merge(live, config, schema)
    last = managers.get(me)
    managers = {**managers, me: Entry(fields_of(config, schema), api_version, last.time if last else None)}
    if last:
        merged = _pruned(merged, managers, last.fields, schema)
    difference = Difference(live, merged, schema)
    changed = frozenset(difference.added | difference.modified)
    others = [identity for identity in managers if identity != me]
    conflicts = {identity: managers[identity].fields & changed for identity in others}
    if not force and any(fields - free for fields in conflicts.values()):
        raise ApplyConflict(_conflicts({identity: fields - free for identity, fields in conflicts.items()}))
    lost = changed | difference.removed
    managers = less(managers, [(identity, lost) for identity in others])
    mine = replace(managers[me], fields=stripped(managers[me].fields)) if me in managers else None
    managers = {identity: entry for identity, entry in managers.items() if identity != me}
    if mine and mine.fields:
        managers[me] = mine
    return merged, managers


def _pruned(merged: Json, managers: Managers, last: FieldSet, schema: Schema) -> Json:
    """``merged`` less what the manager applied last, as far as nobody owns it now, and nobody else's with it."""
    last = with_named_fields(last, schema)
    everything = with_named_fields(fields_of(merged, schema), schema)
    owned = with_named_fields(frozenset[Path]().union(*(entry.fields for entry in managers.values())), schema)

    def left(obj: Any) -> FieldSet:
        return with_named_fields(fields_of(obj, schema), schema)

    pruned = without(merged, last, schema)
    # Removing a field takes along what is beneath it: what is owned comes back …
    pruned = without(merged, everything - (left(pruned) | owned), schema)
    # … and so does what the manager has never applied.
    result: Json = without(merged, (everything - left(pruned)) & last, schema)
    return result


def _conflicts(found: Mapping[ManagerId, FieldSet]) -> list[Conflict]:
    return [
        Conflict(identity.manager, path_text(path), f"conflict with {identity}")
        for identity in sorted(found)
        for path in sorted(found[identity], key=_in_order)
    ]


def _in_order(path: Path) -> list[tuple[bool, str]]:
    """For sorting: what is in a set itself before what is beneath something in it."""
    return [(place < len(path), element) for place, element in enumerate(path, 1)]


def _with_old_times(live: Mapping[str, Any] | None, new: Json) -> Json:
    """``new`` with live's times of managers where nothing else differs: a no-op is stored as nothing."""
    before, after = of(live), of(new)
    if not before or not after or len(before) != len(after):
        return new
    timeless = [{**entry, "time": None} for entry in after]
    if timeless != [{**entry, "time": None} for entry in before]:
        return new
    old_times = {**new, "metadata": {**new["metadata"], "managedFields": before}}
    return old_times if old_times == live else new
