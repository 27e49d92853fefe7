"""Errors in the API server's own words: ``metav1.Status`` with its codes and reasons.

Wording follows ``k8s.io/apimachinery/pkg/api/errors``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.cluster.kinds import Kind


class ApiError(Exception):
    """An answer other than 2xx; ``as_json`` is its ``metav1.Status`` body."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """An error with HTTP status ``code``, the machine-readable ``reason`` and the words for people."""
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}

    def as_json(self) -> dict[str, Any]:
        """The body: a ``Status`` of ``Failure``."""
        body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}


def success(kind: Kind, name: str, uid: str) -> dict[str, Any]:
    """The body of a delete that took effect at once."""
    details = {"name": name, "kind": kind.plural, "uid": uid} | ({"group": kind.group} if kind.group else {})
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    return head | {"status": "Success", "details": details}


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: no token, or an unknown one."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(kind: Kind, name: str, user: str, verb: str, namespace: str, subresource: str = "") -> ApiError:
    """403 as the RBAC authoriser says it."""
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    what = f'{kind.qualified} "{name}"' if name else kind.qualified
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = (
        f'{what} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{kind.group}" {where}'
    )
    return ApiError(403, "Forbidden", message, details=_details(kind, name))


def denied(kind: Kind, name: str, why: str) -> ApiError:
    """403 as an admission plugin says it (apiserver, ``admission/errors.go``)."""
    return ApiError(
        403, "Forbidden", f'{kind.qualified} "{name}" is forbidden: {why}', details=_details(kind, name)
    )


def not_found(kind: Kind, name: str) -> ApiError:
    """404 for an object."""
    return ApiError(404, "NotFound", f'{kind.qualified} "{name}" not found', details=_details(kind, name))


def no_such_path() -> ApiError:
    """404 for an unknown resource type or path."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(kind: Kind, name: str) -> ApiError:
    """409 on create."""
    message = f'{kind.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(kind, name))


def conflict(kind: Kind, name: str, why: str) -> ApiError:
    """409 on update or on a precondition."""
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(kind, name))


def precondition_failed(kind: Kind, name: str, title: str, values: tuple[str, str], fate: str) -> ApiError:
    """409 for a DELETE whose precondition does not hold (apiserver, ``registry/rest/delete.go``)."""
    what = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    why = (
        f"the {title} in the precondition ({values[0]}) does not match the {title} in record ({values[1]}). "
        f"The object might have been {fate}"
    )
    details = _details(kind, name) | {"kind": kind.kind}
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {what} "{name}": {why}', details=details)


def expired(asked: str, oldest: str) -> ApiError:
    """410: a resource version that is no longer in the watch cache."""
    return ApiError(410, "Expired", f"too old resource version: {asked} ({oldest})")


def invalid(kind: Kind, name: str, causes: list[tuple[str, str]]) -> ApiError:
    """422 with its ``(field, message)`` causes."""
    text = ", ".join(f"{field}: {message}" for field, message in causes)
    words = text if len(causes) == 1 else f"[{text}]"
    details = _details(kind, name) | {
        "causes": [{"reason": "FieldValueInvalid", "message": m, "field": f} for f, m in causes]
    }
    what = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    return ApiError(422, "Invalid", f'{what} "{name}" is invalid: {words}', details=details)


def too_many_requests(retry_after: int) -> ApiError:
    """429; ``retry_after`` in seconds."""
    return ApiError(
        429,
        "TooManyRequests",
        "Too many requests, please try again later.",
        details={"retryAfterSeconds": retry_after},
        headers={"Retry-After": str(retry_after)},
    )


def internal_error(message: str) -> ApiError:
    """500."""
    details = {"causes": [{"message": message}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", details=details)


def method_not_allowed() -> ApiError:
    """405."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def _details(kind: Kind, name: str) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name} if name else {}
    if kind.group:
        details["group"] = kind.group
    return details | {"kind": kind.plural}
