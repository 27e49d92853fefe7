"""A repair that the settings switched off between request and approval is not carried out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.cron_edit import CRON_EDIT
from bot.domain.approvals.actions.egress_create import EGRESS_CREATE
from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR, RESTARTS_AGENT
from bot.domain.approvals.actions.image_set import IMAGE_SET
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from bot.domain.approvals.actions.ssh_key_remove import SSH_KEY_REMOVE
from bot.domain.approvals.actions.ssh_keys_copy import SSH_KEYS_COPY
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.crontab_change import CHANGE, CrontabChange, dump_change
from bot.domain.approvals.repair import Proposal, RepairRequest, TargetState, secret_snapshot
from bot.domain.core.target import CrontabSpec, EgressSpec, SshSpec
from bot.errors import Refused
from tests import handbook
from tests.services.pulling import Pulling, pulling, set_asked
from tests.services.workbench import JONAS, KEY, MAYA, SECRET, TARGET, Bench, bench, opened

FILE = {"secret": SECRET, "key": KEY, "line": "ssh-ed25519 AAAA maya", "fingerprint": "SHA256:x"}
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAI8v0MB/cOvJPuXCDv1tWSvw0iU/y04l9CsIN0ZcNd5 maya"
CRONTAB = dump_change(CrontabChange("kali", TARGET.crontab.path(TARGET.container().home), "a", "b", 1, ()))  # type: ignore[union-attr]
SSH = TARGET.ssh or SshSpec()
COPIED = {
    "secret": SECRET,
    "key": KEY,
    "container": "kali",
    "file": str(SSH.path(TARGET.container().home)),
    "mount": f"/keys/{KEY}",
}
WITH: Mapping[str, Any] = {
    **{name: getattr(TARGET, name) for name in ("secrets", "ssh", "image_set")},
    "egress": EgressSpec(restart_cilium=True),
}
REQUESTS: tuple[tuple[RepairAction, str, dict[str, str], Mapping[str, Any], str], ...] = (
    (IMAGE_SET, "", {"container": "kali", "image": "a:1"}, {"image_set": ("web",)}, "targets[].image_set"),
    (EGRESS_REPAIR, "agent-egress", {}, {"egress": None}, "targets[].egress"),
    (EGRESS_REPAIR, "agent-egress", {}, {"egress": EgressSpec(policy="other")}, "targets[].egress"),
    (
        EGRESS_REPAIR,
        "agent-egress",
        {RESTARTS_AGENT: "yes"},
        {"egress": EgressSpec()},
        "targets[].egress.restart_cilium",
    ),
    (EGRESS_CREATE, "agent-egress", {}, {"egress": None}, "targets[].egress"),
    (CRON_EDIT, "", {CHANGE: CRONTAB}, {"crontab": None}, "targets[].crontab"),
    (CRON_EDIT, "", {CHANGE: CRONTAB}, {"crontab": CrontabSpec(file="/etc/crontab")}, "targets[].crontab"),
    (SSH_KEY_ADD, "", FILE, {"ssh": None}, "targets[].ssh"),
    (SSH_KEY_REMOVE, "", FILE, {"ssh": handbook.TARGET.ssh}, "targets[].ssh"),
    *(
        (SSH_KEYS_COPY, "", COPIED, {"ssh": changed}, "targets[].ssh")
        for changed in (
            None,
            SSH.model_copy(update={"file": None}),
            SSH.model_copy(update={"file": "/root/.ssh/other_keys"}),
            SSH.model_copy(update={"secret": "other"}),
            SSH.model_copy(update={"key": "other_keys"}),
            SSH.model_copy(update={"mount": "/other/authorized_keys"}),
        )
    ),
)


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        cluster = Pulling()
        made = bench(ledger, cluster=cluster, registry=cluster.registry, target=handbook.target(**WITH))
        yield made
        await made.executor.stop(1)


def _settings(one: Bench, **changes: Any) -> None:
    """Go on with other settings, as a bot that was started anew with them."""
    one.executor.targets = {TARGET.name: handbook.target(**{**WITH, **changes})}


async def _asked(one: Bench, action: RepairAction, subject: str, details: Mapping[str, str]) -> RepairRequest:
    snapshot = TargetState(one.cluster.deployment_, tuple(one.cluster.pods_)).snapshot
    proposal = Proposal(action, snapshot, "why", "", (), subject, details)
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


@pytest.mark.parametrize(("action", "subject", "details", "changes", "setting"), REQUESTS)
async def test_what_was_switched_off_since_the_request_is_not_carried_out(
    one: Bench, action: RepairAction, subject: str, details: dict[str, str], changes: dict[str, Any], setting: str
) -> None:
    repair = await _asked(one, action, subject, details)
    assert one.executor.off(repair) == []
    _settings(one, **changes)
    await one.say(repair, Choice.APPROVE, JONAS)
    ended = await one.ended(repair)
    assert ended.outcome is not None
    assert (ended.state, ended.outcome.text) == (
        RequestState.VOID,
        f"it was switched off in the settings meanwhile ({setting})",
    )
    assert one.cluster.sent == 0


async def test_no_value_is_taken_for_a_secret_that_left_the_settings(one: Bench) -> None:
    proposal = Proposal(
        SECRET_SET, secret_snapshot(one.cluster.secret_), "why", "", (), "it", {"secret": SECRET, "key": KEY}
    )
    repair = (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.approval_service.may_give_value(repair.id, one.caller(MAYA))
    _settings(one, secrets=("other",))
    with pytest.raises(Refused, match=r"switched off in the settings meanwhile \(targets\[\]\.secrets\)"):
        await one.approval_service.may_give_value(repair.id, one.caller(MAYA))


@pytest.mark.parametrize("action", [SSH_KEY_ADD, SSH_KEY_REMOVE])
async def test_a_process_that_takes_over_does_not_write_the_keys_either(one: Bench, action: RepairAction) -> None:
    proposal = Proposal(action, secret_snapshot(one.cluster.secret_), "why", "", (), "", {**FILE, "line": LINE})
    repair = (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair
    await one.executor.stop(0)  # it claims the request, and dies
    await one.say(repair, Choice.APPROVE, JONAS)
    two = bench(one.ledger, name="two", like=one, target=handbook.target(**{**WITH, "ssh": None}))
    assert await two.executor.take_over(at_start=True) == 1
    ended = await two.ended(repair)
    assert ended.outcome is not None
    assert (ended.state, ended.outcome.text) == (
        RequestState.FAILED,
        "it may have been sent, and nobody knows whether it was stored: "
        "it was switched off in the settings meanwhile (targets[].ssh)",
    )
    assert one.cluster.sent == 0
    await two.executor.stop(1)


async def test_a_process_that_takes_over_does_not_make_the_change_either(one: Bench) -> None:
    repair = await set_asked(one)
    await one.executor.stop(0)  # it claims the request, and dies
    await one.say(repair, Choice.APPROVE, JONAS)
    cluster = pulling(one)
    two = bench(
        one.ledger,
        name="two",
        like=one,
        registry=cluster.registry,
        target=handbook.target(**{**WITH, "image_set": ()}),
    )
    assert await two.executor.take_over(at_start=True) == 1
    ended = await two.ended(repair)
    assert ended.outcome is not None
    assert ended.state is RequestState.FAILED
    assert ended.outcome.text.endswith("it was switched off in the settings meanwhile (targets[].image_set)")
    assert cluster.sent == 0
    await two.executor.stop(1)
