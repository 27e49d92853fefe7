"""The line of `status` on the egress policy: what settings, runbook and Cilium say of it, as one finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.domain.core.probes import Verdict
from bot.domain.core.summary import ProbeResult, Unmade
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.services.health import unserved
from bot.services.health.check import Check
from bot.services.health.checks.egress import EgressCheck
from bot.services.health.checks.external_secrets import ExternalSecretsCheck
from bot.services.health.reads import CheckContext

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledRunbook

ENABLED, VALID = "egress-enabled", "egress-valid"
"""The runbook's checks: whether there is a policy, and whether Cilium finds it valid."""
OURS = EgressCheck.id
NO_CILIUM = "Cilium is not installed"
BAD = (Verdict.FAIL, Verdict.WARN)


def checks_of(ctx: CheckContext) -> list[Check]:
    """The runbook's checks of the policy that are not part of `status` by themselves."""
    from bot.services.runbook.declared_check import DeclaredCheck

    known = ctx.book.checks if ctx.book is not None else {}
    wanted = [known[name] for name in (ENABLED, VALID) if name in known and not known[name].entry.status]
    made: list[Check] = [DeclaredCheck(check, ctx.probe_timeout) for check in wanted]
    for one in made:
        one.title = EgressCheck.title
    return made


def rights(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """The Kubernetes rights that they need."""
    from bot.services.runbook import declared_check

    return declared_check.check_rights(book, [ENABLED, VALID], target)


def one_line(results: Sequence[ProbeResult], made: Sequence[Check]) -> tuple[list[ProbeResult], Unmade | None]:
    """The results with those on the policy as one; and what is not known of it where the settings name none.

    ``made`` are the runbook's checks of the policy.
    """
    ids = {check.id for check in made}
    found = {one.finding.probe: one for one in results if one.finding.probe in ids}
    ours = next((one for one in results if one.finding.probe == OURS), None)
    if not found:
        return list(results), None
    others = [one for one in results if one.finding.probe not in ids]
    if ours is not None:
        return [_worst(ours, found) if one is ours else one for one in others], None
    return _of_runbook(others, found)


def _worst(ours: ProbeResult, found: dict[str, ProbeResult]) -> ProbeResult:
    """The settings' policy; Cilium's verdict where that is worse."""
    valid = found.get(VALID)
    worse = valid is not None and valid.finding.verdict.badness > ours.finding.verdict.badness
    known = ours.finding.verdict is not Verdict.UNKNOWN
    return _as_ours(valid) if valid is not None and worse and known and _is_bad(valid) else ours


def _of_runbook(
    others: list[ProbeResult], found: dict[str, ProbeResult]
) -> tuple[list[ProbeResult], Unmade | None]:
    """Without a policy in the settings: the first that is wrong. Not every cluster has Cilium, or the right."""
    enabled = found.get(ENABLED)
    wrong = next((one for name in (VALID, ENABLED) if (one := found.get(name)) and _is_bad(one)), None)
    if wrong is not None and wrong is enabled and NO_CILIUM in wrong.finding.summary:
        if (cause := unserved.cause_among(others)) is not None:
            return _placed(others, _as_ours(unserved.unknown_for(wrong, cause))), None
        return others, Unmade(EgressCheck.title, NO_CILIUM, unknown=False)
    unread = next((one for one in found.values() if one.finding.verdict is Verdict.UNKNOWN), None)
    if wrong is None and unread is not None:
        if _shares_cause(unread, others):
            return _placed(others, _as_ours(unread)), None
        return others, Unmade(EgressCheck.title, next(iter(found.values())).finding.summary)
    shown = wrong or enabled or next(iter(found.values()))
    return _placed(others, _as_ours(shown)), None


def _shares_cause(unread: ProbeResult, others: Sequence[ProbeResult]) -> bool:
    """Whether what keeps it from being read keeps another check too. The right may be left out on purpose."""
    cause = unread.cause
    return cause is not None and not cause.right and any(o.cause and o.cause.key == cause.key for o in others)


def _placed(others: list[ProbeResult], one: ProbeResult) -> list[ProbeResult]:
    """The results with the policy's where `status` has it for targets whose settings name it."""
    after = (n for n, other in enumerate(others) if other.finding.probe == ExternalSecretsCheck.id)
    before = next(after, len(others))
    return [*others[:before], one, *others[before:]]


def _is_bad(one: ProbeResult) -> bool:
    return one.finding.verdict in BAD


def _as_ours(one: ProbeResult) -> ProbeResult:
    """The result under the id and the title of the settings' check."""
    run = "/agentpod egress" if _is_bad(one) else None
    return replace(one, finding=replace(one.finding, probe=OURS, title=EgressCheck.title, run=run))
