"""In which form a client wants its objects: its Accept header and its parameters, to a renderer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .kinds import Resource
from .render import PartialRenderer, Renderer, TableRenderer, WholeRenderer
from .status import ApiError, bad_request
from .transform import Form, NotAcceptable, negotiate, to_table
from .wire import Request

Json = dict[str, Any]


def renderer_for(request: Request, resource: Resource, *, listing: bool, watching: bool = False) -> Renderer:
    """The renderer for a request; 406 if the client accepts nothing that there is."""
    try:
        form = negotiate(request.header("accept"))
        form.check(is_list=listing)
    except NotAcceptable as error:
        raise ApiError(406, "NotAcceptable", str(error)) from error
    if form.kind == "partial":
        return PartialRenderer(form.version)
    if form.kind == "table":
        return TableRenderer(resource, _tabulate(request, resource, form), columns_once=watching)
    return WholeRenderer(resource)


def _tabulate(request: Request, resource: Resource, form: Form) -> Callable[[list[Json], Json, bool], Json]:
    include = request.query.get("includeObject", "")
    if include not in ("", "None", "Metadata", "Object"):
        raise bad_request(f'unrecognized includeObject value: "{include}"')

    def tabulate(objects: list[Json], metadata: Json, headers: bool) -> Json:
        return to_table(
            objects,
            resource.kind,
            list_meta=metadata,
            api_version=resource.api_version,
            printer_columns=resource.printer_columns,
            include_object=include or None,
            headers=headers,
            version=form.version,
        )

    return tabulate
