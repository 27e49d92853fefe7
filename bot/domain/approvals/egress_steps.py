"""The steps of the repairs of an egress policy, and what a card says of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.egress_policy import MANIFEST, EgressStep, log_of
from bot.domain.core import words
from bot.domain.core.stored import Unreadable

AGENT, POLICY, CREATE, VALID, POD, TEST = "agent", "policy", "create", "valid", "pod", "test"
"""The steps, in order."""
TITLES = {
    AGENT: "Cilium agent restarted",
    POLICY: "Policy replaced",
    CREATE: "Policy created",
    VALID: "Policy valid",
    POD: "Pod replaced",
    TEST: "Egress tested",
}
WORK = {
    AGENT: "the restart of the Cilium agent",
    POLICY: "the replacement of the policy",
    CREATE: "the creation of the policy",
    VALID: "the check that the policy is valid",
    POD: "the replacement of the pod",
    TEST: "the test of egress",
}
MISSING, YES, NO = "missing", "yes", "no"
"""The detail of a failed request that says whether it left the policy missing; where it is not known, none."""


class Stepping(Protocol):
    """The parts of a request that are read here."""

    @property
    def details(self) -> Mapping[str, str]: ...

    @property
    def state(self) -> RequestState: ...


def results(wanted: Stepping, steps: Sequence[str]) -> Sequence[tuple[str, str]]:
    """What came of each of the ``steps``, as labels and values; where one failed, also what was not done."""
    try:
        begun = log_of(wanted.details).steps
    except Unreadable:
        return ()
    found = [(TITLES[one.name], _came_of(one, wanted.state)) for one in begun if one.name in TITLES]
    left = steps[len(begun) :] if begun and wanted.state is RequestState.FAILED else ()
    return [*found, ("Not done", words.listed([WORK[one] for one in left]))] if left else found


def manifest_if_missing(wanted: Stepping) -> Sequence[str]:
    """The lines of the manifest where a request left the policy missing."""
    manifest = wanted.details.get(MANIFEST)
    if wanted.details.get(MISSING) != YES or manifest is None:
        return ()
    return json.dumps(json.loads(manifest), indent=2, ensure_ascii=False).splitlines()


def left_missing(repair: Stepping) -> bool:
    """Whether a failed repair deleted the policy, or may have, and did not create it again."""
    if repair.state is not RequestState.FAILED:
        return False
    said = repair.details.get(MISSING)
    return said == YES if said is not None else _open(repair, POLICY)


def created(creation: Stepping) -> bool:
    """Whether the policy was there after a request for its creation."""
    return not _open(creation, CREATE) and _begun(creation, CREATE)


def _begun(wanted: Stepping, name: str) -> bool:
    try:
        return log_of(wanted.details).step(name) is not None
    except Unreadable:
        return False


def _open(wanted: Stepping, name: str) -> bool:
    """Whether a step was begun, and its end is not recorded."""
    try:
        step = log_of(wanted.details).step(name)
    except Unreadable:
        return False
    return step is not None and step.ended is None


def _came_of(step: EgressStep, state: RequestState) -> str:
    if step.ended is not None:
        return step.said
    return "not finished" if state.final else f"under way since {words.clock(step.began)}"
