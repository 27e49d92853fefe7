"""What all entries of a runbook file are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from bot.domain.core import words

NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
LONGEST_NAME = 60
Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME, pattern=NAME)]


def _readable(text: str) -> str:
    if why := words.hides(text):
        raise ValueError(why)
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=600), AfterValidator(_readable)]
Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=150, pattern=r"^[^\n\r]*$"),
    AfterValidator(_readable),
]
"""A text of one line."""
Source = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
"""An expression in CEL."""
MOST = 300
"""Most entries of a kind in one runbook."""


class Entry(BaseModel):
    """What all entries share."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)
