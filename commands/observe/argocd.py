"""``argocd``: whether the Argo CD Application is in sync with Git and healthy, and its last sync."""

from __future__ import annotations

from datetime import datetime

from bot.domain.core import words
from bot.domain.core.reply import Fact, Reply
from bot.domain.core.workload import Application
from bot.domain.health import judge_argocd
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.check import run_checks
from bot.services.health.checks.argocd import ArgocdCheck
from commands.shared import part_answer, shape


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Judge the Application and show its revision and last sync."""
    began = ctx.clock.monotonic()
    if ctx.target.argocd is None:
        said = "The settings say that no Argo CD Application owns this target (argocd: null)."
        return Reply("Argo CD is switched off in the settings", body=(said,), notes=shape.notes(ctx, began))
    check = ArgocdCheck(ctx.target.argocd)
    outcomes = await run_checks(ctx, [check])
    application = check.application
    where = Fact("Application", f"{ctx.target.argocd.namespace}/{ctx.target.argocd.application}", code=True)
    details = _facts(application, ctx.clock.now()) if application else []
    data: dict[str, object] = {"application": _data(application)} if application else {}
    return part_answer.reply(
        ctx, outcomes, began, own="argocd", detailed=bool(application), facts=[where, *details], data=data
    )


def _facts(application: Application, now: datetime) -> list[Fact]:
    sources = [Fact(words.cut(s.name, 60), s.revision or "unknown", code=True) for s in application.sources]
    facts = [
        *(sources or [Fact("Revision", application.revision or "unknown", code=True)]),
        Fact("Last sync", _last_sync(application, now)),
    ]
    # The message of a successful operation adds nothing; the reason for bad health does.
    failed = application.operation_phase != "Succeeded"
    messages = (
        ("Health", application.health_message),
        ("Says", application.operation_message if failed else None),
    )
    facts += [Fact(label, words.cut(text, 200)) for label, text in messages if text]
    facts += [Fact("Resource", words.cut(one, 200)) for one in application.unhealthy[:5]]
    facts += [Fact(c.type, words.cut(c.message or c.reason or c.status, 200)) for c in application.conditions]
    return facts


def _last_sync(application: Application, now: datetime) -> str:
    if application.finished_at is None and application.operation_phase is None:
        return "never"
    phase = application.operation_phase or "ended"
    if application.finished_at is None:
        return phase
    return f"{phase} {words.ago(application.finished_at, now)}, {words.moment(application.finished_at)}"


def _data(application: Application) -> dict[str, object]:
    return {
        "name": application.name,
        "sync": application.sync,
        "health": application.health,
        "revision": application.revision,
        "sources": [{"name": s.name, "revision": s.revision} for s in application.sources],
        "short_revision": judge_argocd.revision(application),
        "last_sync": words.iso(application.finished_at),
    }


COMMAND = Command(
    name="argocd",
    summary="Argo CD: in sync with Git, and healthy?",
    needs=Capability.VIEW,
    run=run,
    examples=("argocd",),
    details="Unknown, with the reason, where the Application or the right to read it is absent.",
    rights=ArgocdCheck.rights,
)
