"""`reflect_model`: which rows of a Django model stand for which objects of a cluster, as a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import router
from django.db.models import Field, Model
from django.utils import timezone

from kubewatch.config import Config
from kubewatch.errors import InvalidInput
from kubewatch.fields import plain
from kubewatch.objects import meta_of
from kubewatch.printing.json_path import first
from kubewatch.source import Source, named
from kubewatch.streams.stream import check_callable

T = TypeVar("T")

Key = tuple[str, ...]  # what tells the objects of a reflection apart, in the order of `Reflection.key`
Row = tuple[Any, ...]  # the values of the other mapped fields, in the order of `Reflection.fields`

# What an object is known by. It never changes, and a deleted object has it as well.
_IDENTITY: Mapping[str, Callable[[Any], str]] = {
    "metadata.namespace": lambda meta: meta.namespace or "",
    "metadata.name": lambda meta: meta.name,
    "metadata.uid": lambda meta: meta.uid,
}

# Characters of a reflection's name, which is a key in the database.
NAME_LENGTH = 200

_DEFAULT = Config()


@dataclass(frozen=True, eq=False)
class Reflection(Generic[T]):
    """Which rows of a model stand for which objects; `reflect_model` makes and checks it."""

    model: type[Model]
    api: Source[T]
    key: Mapping[str, str]  # column -> where in the metadata
    fields: Mapping[str, Callable[[T], Any]]  # column -> its value of an object
    scope: Mapping[str, Any]  # column -> the value that all rows have
    config: Config
    using: str | None

    @property
    def name(self) -> str:
        """What tells it from other reflections: `inventory.deployment`, and its scope if it has one."""
        return " ".join([self.model._meta.label_lower, *(f"{column}={self.scope[column]}" for column in self.scope)])

    @property
    def label(self) -> str:
        """What is reflected, for people: `Deployment in shop -> inventory.deployment`."""
        return f"{named(self.api)} -> {self.name}"

    @property
    def database(self) -> str:
        """The alias of the database that is written to: `using`, or what the database routers say."""
        return self.using or router.db_for_write(self.model)

    def told(self, error: BaseException) -> str:
        """The error in words, without what it may quote of a Secret or, in its further lines, of a row."""
        what = type(error).__name__
        return what if self.api.kind.lower() in ("secret", "secrets") else f"{what}: {error}".partition("\n")[0]

    def key_of(self, obj: T) -> Key:
        """What tells the object apart."""
        meta = meta_of(obj)
        return tuple(_IDENTITY[place](meta) for place in self.key.values())

    def row_of(self, obj: T) -> Row:
        """The values of the object's row. Raises whatever a function of the user's raises, and ValidationError."""
        return tuple(_value(_field(self.model, column), get(obj)) for column, get in self.fields.items())


def reflect_model(
    model: type[Model],
    api: Source[T],
    *,
    key: Mapping[str, str],
    fields: Mapping[str, str | Callable[[T], Any]],
    scope: Mapping[str, Any] | None = None,
    config: Config = _DEFAULT,
    using: str | None = None,
) -> Reflection[T]:
    """The rows of `model` are the objects of `api`: name it in `KUBEWATCH["REFLECT"]`, run `manage.py reflectmodels`.

    >>> deployments = reflect_model(                                                     # doctest: +SKIP
    ...     Deployment,
    ...     Api("apps/v1", "Deployment"),
    ...     key={"namespace": "metadata.namespace", "name": "metadata.name"},
    ...     fields={"replicas": ".spec.replicas", "ready": lambda d: d.status.readyReplicas or 0},
    ... )

    - `key`: the fields of the model that tell objects apart, and where in the metadata they are: `metadata.namespace`,
      `metadata.name`, `metadata.uid`. The model must have a unique constraint on them, together with `scope`.
    - `fields`: the other fields, each with a path as in `kubectl get -o jsonpath`, or a function of the object. What an
      object has not (None) becomes the field's default. Fields not named here are left alone.
    - `scope`: fields and the values that they have in all rows of this reflection; rows with other values are never
      touched. For a model that has the objects of several clusters, say. Without, rows that have no object are deleted.
    - `using`: the alias of a database; by default what the routers say.

    Nothing is requested, and no thread is started. Raises InvalidInput for what cannot work.
    """
    _check_model(model)
    # The namespace first, as rows are deleted by it.
    places = dict(sorted(_by_column(model, key, "key").items(), key=lambda item: item[1] != "metadata.namespace"))
    getters = {column: _getter(column, get) for column, get in _by_column(model, fields, "fields").items()}
    values = _by_column(model, scope or {}, "scope")
    _check_key(model, places, getters, values)
    reflection = Reflection(model, api, places, getters, values, config, using)
    if len(reflection.name) > NAME_LENGTH:
        raise InvalidInput(f"a reflection's name has {NAME_LENGTH} characters at most, {reflection.name!r} has more")
    return reflection


def overlap(one: Reflection[Any], other: Reflection[Any]) -> bool:
    """Whether two reflections would write, and delete, rows of each other."""
    if one.model._meta.db_table != other.model._meta.db_table or one.database != other.database:
        return False
    return all(other.scope.get(column, value) == value for column, value in one.scope.items())


def _value(field: Field[Any, Any], value: Any) -> Any:
    value = plain(value)
    if value is None:
        return field.get_default()
    value = field.to_python(value)
    if isinstance(value, datetime) and not settings.USE_TZ and timezone.is_aware(value):
        return timezone.make_naive(value)
    return value


def _getter(column: str, get: Any) -> Callable[[Any], Any]:
    if isinstance(get, str):
        path = get if get.startswith((".", "[", "{", "$")) else f".{get}"
        try:
            first({}, path)
        except ValueError as error:
            raise InvalidInput(f"fields[{column!r}] cannot be read: {error}") from error
        return partial(_found, path)
    check_callable(f"fields[{column!r}] is a path such as '.spec.replicas', or it", get)
    function: Callable[[Any], Any] = get
    return function


def _found(path: str, obj: Any) -> Any:
    return first(obj.to_dict(), path)


# What is refused


def _check_model(model: Any) -> None:
    if not (isinstance(model, type) and issubclass(model, Model)):
        raise InvalidInput(f"reflect_model needs a Django model, not {model!r}")
    if model._meta.abstract or model._meta.get_parent_list():
        what = "is abstract" if model._meta.abstract else "inherits from a model that has a table of its own"
        raise InvalidInput(
            f"{model.__name__} {what}, so that rows cannot be written in bulk: reflect into a plain model"
        )


def _by_column(model: type[Model], named: Any, what: str) -> dict[str, Any]:
    if not isinstance(named, Mapping):
        raise InvalidInput(f"{what} is a mapping from fields of {model.__name__}, not {named!r}")
    return {_checked(model, name, what).attname: value for name, value in named.items()}


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    field = model._meta.get_field(name)
    if not isinstance(field, Field) or not field.concrete or field.many_to_many:
        raise FieldDoesNotExist(name)
    return field


def _checked(model: type[Model], name: str, what: str) -> Field[Any, Any]:
    try:
        field = _field(model, name)
    except FieldDoesNotExist:
        known = ", ".join(field.name for field in model._meta.concrete_fields)
        raise InvalidInput(f"{what}[{name!r}]: {model.__name__} has no such column, only {known}") from None
    if what == "fields" and field.primary_key:
        raise InvalidInput(f"{what}[{name!r}]: the primary key of a row cannot change; it may be in key")
    if what == "fields" and field.is_relation and getattr(field, "db_constraint", False):
        raise InvalidInput(
            f"{what}[{name!r}]: what {model.__name__}.{name} points to may come later than what points to it, as each "
            "kind is watched by itself: give the ForeignKey db_constraint=False"
        )
    return field


def _check_key(model: type[Model], key: Mapping[str, str], *others: Mapping[str, Any]) -> None:
    columns = Counter(column for names in (key, *others) for column in names)
    column, times = columns.most_common(1)[0] if columns else ("", 0)
    if times > 1:
        raise InvalidInput(f"{model.__name__}.{column} is given more than once, in key, fields and scope")
    for column, place in key.items():
        if place not in _IDENTITY:
            raise InvalidInput(f"key[{column!r}] is one of {', '.join(_IDENTITY)}, not {place!r}")
    if not {"metadata.name", "metadata.uid"} & set(key.values()):
        raise InvalidInput("key needs metadata.name (with metadata.namespace, where the kind has one) or metadata.uid")
    wanted = {*key, *others[-1]}
    if wanted not in _unique(model):
        fields = ", ".join(sorted(wanted))
        raise InvalidInput(
            f"{model.__name__} needs a unique constraint on exactly {fields}, which a row is found by: in its Meta, "
            f"constraints = [UniqueConstraint(fields={sorted(wanted)!r}, name=…)]"
        )


def _unique(model: type[Model]) -> list[set[str]]:
    meta = model._meta
    sets = [
        *((field.name,) for field in meta.concrete_fields if field.unique),
        *meta.unique_together,
        *(constraint.fields for constraint in meta.total_unique_constraints),
    ]
    return [{_field(model, name).attname for name in names} for names in sets]
