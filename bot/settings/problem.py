"""A validation error of one setting, raised where several settings are compared."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


def problem_at(place: tuple[int | str, ...], message: str) -> ValidationError:
    """The error for the setting at ``place``, so that it is reported with its file and line."""
    kind = PydanticCustomError("value_error", "{message}", {"message": message})
    return ValidationError.from_exception_data(
        "Settings", [InitErrorDetails(type=kind, loc=place, input=None)], hide_input=True
    )
