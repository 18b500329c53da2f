"""Which form of an answer a request wants, by its Accept header: objects, their metadata only, or a table.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

MEDIA_TYPE = "application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_META_GROUP = "meta.k8s.io"
_META_VERSIONS = ("v1", "v1beta1")


class NotAcceptable(Exception):
    """No clause of the Accept header can be served: 406, with this message."""


@dataclass(frozen=True)
class Form:
    """The form of an answer: ``partial`` and ``table`` are of ``meta.k8s.io``, in ``version``."""

    kind: Literal["object", "partial", "table"] = "object"
    version: str = "v1"
    of_list: bool = False
    """Whether metadata was asked for as a list: as=PartialObjectMetadataList."""
    protobuf: bool = False
    """Whether metadata is wanted in protobuf."""

    def check(self, is_list: bool) -> None:
        """Refuse the metadata form of a list for an object, and the other way round.

        Raises ``NotAcceptable``. The events of a watch are single objects.
        """
        if self.kind != "partial" or self.of_list == is_list:
            return
        if is_list:
            raise NotAcceptable("you requested PartialObjectMetadata, but the requested object is a list")
        raise NotAcceptable("you requested PartialObjectMetadataList, but the requested object is not a list")


def negotiate(accept: str | None) -> Form:
    """The first form in ``accept``, best quality first, that this server has; it has only metadata in protobuf.

    >>> negotiate("application/json;as=Table;v=v1;g=meta.k8s.io, application/json").kind
    'table'

    Raises ``NotAcceptable`` when there is none.
    """
    if not accept:
        return Form()
    clauses = [_clause(text) for text in accept.split(",")]
    # A stable sort: among equals the order of the header decides.
    clauses.sort(key=lambda clause: (-clause[2], clause[0].count("*")))
    for media_type, parameters, _ in clauses:
        form = _form(parameters)
        if media_type in (MEDIA_TYPE, "application/*", "*/*") and form is not None:
            return form
        if media_type == PROTOBUF and form is not None and form.kind == "partial":
            return replace(form, protobuf=True)
    raise NotAcceptable(f"only the following media types are accepted: {MEDIA_TYPE}")


def _clause(text: str) -> tuple[str, dict[str, str], float]:
    media_type, *rest = (part.strip() for part in text.split(";"))
    pairs = (part.partition("=") for part in rest)
    parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    try:
        quality = float(parameters.pop("q", "1"))
    except ValueError:
        quality = 1.0
    return media_type.lower(), parameters, quality


def _form(parameters: dict[str, str]) -> Form | None:
    wanted, group, version = (parameters.get(name, "") for name in ("as", "g", "v"))
    if not (wanted or group or version):
        return Form() if parameters.get("stream", "watch") in ("", "watch") else None
    if group != _META_GROUP or version not in _META_VERSIONS:
        return None
    if wanted == "Table":
        return Form("table", version)
    if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList"):
        return Form("partial", version, of_list=wanted.endswith("List"))
    return None
