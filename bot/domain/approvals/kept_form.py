"""The form in which the ledger keeps a request: without what looks like a secret.

What is carried out, and what is compared before, has to be kept as it was given: an image kept as ``[redacted]``
would be put into the Deployment like that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bot.domain.approvals.kept_text import kept_text
from bot.domain.approvals.repair import RepairRequest, to_json
from bot.domain.approvals.steps import LOG
from bot.domain.core.outside import Outside
from bot.domain.core.redact import PLACEHOLDER, plain_text

_SHAPES = Outside()
"""Knows no values: a body is compared with the target and carried out, so known values in it stay."""
_WORDS = {
    "plan": "command",
    "change": "new crontab",
    "pinned": "image with its digest",
    "instead_of": "image that it replaces",
    "before": "image that runs now",
}
"""What details are called, where their key doesn't say it."""


def kept_form(repair: RepairRequest) -> dict[str, Any]:
    """The request as the ledger keeps it."""
    body = json.loads(to_json(repair))
    found: dict[str, Any] = _SHAPES.of(body)
    snapshot = body["request"]["snapshot"]
    kept = {**found["request"]["snapshot"], "version": kept_text(snapshot["version"], _SHAPES)}
    found["request"] = {**found["request"], "snapshot": kept}
    found["details"] = {name: kept_text(value, _SHAPES) for name, value in body["details"].items()}
    return found


def not_kept(repair: RepairRequest) -> str:
    """Why the ledger would keep a fact otherwise than given, of those that are carried out or compared.

    The first such fact counts; empty where there is none. A placeholder in what is given counts as a secret: it
    stands for something else.
    """
    kept = dict(_facts(kept_form(repair)))
    for name, given in _facts(json.loads(to_json(repair))):
        if PLACEHOLDER not in str(given):
            if kept.get(name) == given:
                continue
            if isinstance(given, str) and kept.get(name) == plain_text(given):
                return f"{name} has a control or an invisible character. The ledger keeps none"
        return f"something in {name} looks like a secret. The ledger keeps no secrets"
    return ""


def is_incomplete(repair: RepairRequest) -> bool:
    """Whether a stored request lacks something that it would be carried out with."""
    given = [repair.subject, *(value for name, value in repair.details.items() if name != LOG)]
    return any(PLACEHOLDER in one for one in given)


def _facts(body: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What it is, and the value, of each fact that is carried out or compared."""
    yield "its subject", body["subject"]
    for key, value in body["details"].items():
        yield f"its {_WORDS.get(key, key.replace('_', ' '))}", value
    snapshot = dict(body["request"]["snapshot"])
    for container, image in snapshot.pop("images"):
        yield f"the image of {container}", image
    for key, value in snapshot.items():
        yield f"the target's {key}", value
