"""Status objects: what the API server says instead of the object that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Json = dict[str, Any]


class ApiError(Exception):
    """A request refused: the Status object and the HTTP headers that go with it."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Json | None = None,
        metadata: Json | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.headers = tuple(headers)
        self.status = failure(code, reason, message, details=details, metadata=metadata)

    @property
    def body(self) -> bytes:
        return msgspec.json.encode(self.status) + b"\n"


def failure(code: int, reason: str, message: str, *, details: Json | None = None, metadata: Json | None = None) -> Json:
    """The Status object of a failure."""
    status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {}, "status": "Failure"}
    status["message"] = message
    if reason:
        status["reason"] = reason
    if details is not None:
        status["details"] = details
    status["code"] = code
    return status


def success(details: Json) -> Json:
    """The Status object that answers a delete which took effect at once."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _details(name: str, group: str, kind: str, **more: Any) -> Json:
    details: Json = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    details["kind"] = kind
    details.update({key: value for key, value in more.items() if value})
    return details


def group_resource(group: str, plural: str) -> str:
    """A resource's name in messages: ``pods``, ``deployments.apps``."""
    return f"{plural}.{group}" if group else plural


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(group: str, plural: str, name: str, why: str, causes: Sequence[Json] = ()) -> ApiError:
    subject = f'{group_resource(group, plural)} "{name}"'
    details = _details(name, group, plural, causes=list(causes))
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=details)


def not_found(group: str, plural: str, name: str) -> ApiError:
    message = f'{group_resource(group, plural)} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_details(name, group, plural))


def resource_not_found(wanted: str = "") -> ApiError:
    message = f"the server serves no {wanted}" if wanted else "the server could not find the requested resource"
    return ApiError(404, "NotFound", message, details={})


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def unsupported_media_type(accepted: str) -> ApiError:
    message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return ApiError(415, "UnsupportedMediaType", message)


def already_exists(group: str, plural: str, name: str) -> ApiError:
    message = f'{group_resource(group, plural)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(name, group, plural))


def conflict(group: str, plural: str, name: str, why: str, causes: Sequence[Json] = ()) -> ApiError:
    message = f'Operation cannot be fulfilled on {group_resource(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(name, group, plural, causes=list(causes)))


def modified(group: str, plural: str, name: str) -> ApiError:
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(group, plural, name, why)


def cause(reason: str, message: str, field: str) -> Json:
    """One reason why an object is invalid, for ``invalid``."""
    return {"reason": reason, "message": message, "field": field}


def required(field: str, why: str = "") -> Json:
    return cause("FieldValueRequired", f"Required value: {why}" if why else "Required value", field)


def bad_value(field: str, value: object, why: str) -> Json:
    shown = msgspec.json.encode(value).decode()
    return cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", field)


def too_long(field: str, limit: int) -> Json:
    return cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", field)


def not_allowed(field: str, why: str) -> Json:
    return cause("FieldValueForbidden", f"Forbidden: {why}", field)


def invalid(group: str, kind: str, name: str, causes: Sequence[Mapping[str, Any]]) -> ApiError:
    texts = [f"{one['field']}: {one['message']}" for one in causes]
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    subject = f"{kind}.{group}" if group else kind
    details = _details(name, group, kind, causes=[dict(one) for one in causes])
    return ApiError(422, "Invalid", f'{subject} "{name}" is invalid: {text}', details=details)


def expired(message: str, metadata: Json | None = None) -> ApiError:
    return ApiError(410, "Expired", message, metadata=metadata)


def too_old_version(asked: int, oldest: int) -> ApiError:
    return expired(f"too old resource version: {asked} ({oldest})")


def too_large_version(asked: int, current: int) -> ApiError:
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return ApiError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {asked}, current: {current}",
        details={"causes": causes, "retryAfterSeconds": 1},
        headers=[("Retry-After", "1")],
    )


REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
