"""Every repair's card, thread and direct messages in each state, and the answers to decisions.

What a card says before a decision comes from the command that asks; how it ends, from carrying it out on the fakes
of the services' tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.domain.approvals import approver_message, card, reminder
from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.registry import builtin
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import (
    ApprovalPolicy,
    Choice,
    Decision,
    Request,
    RequestState,
    Rule,
    Ruling,
    Snapshot,
)
from bot.domain.approvals.forecast import WARNED, WORSE, Forecast
from bot.domain.approvals.receipt import Receipt, update
from bot.domain.approvals.repair import ExecutionResult, Proposal, RepairRequest, Wait
from bot.domain.core.cron.crontab import read_crontab
from bot.domain.core.redact import PLACEHOLDER
from bot.domain.core.reply import Link, Mention, Reply
from bot.domain.health.ssh_keys import parse_key
from bot.domain.heartbeats.judge_crontab import ends_cron
from bot.errors import Denied
from commands.shared import requests
from sandbox.slack import seed
from tests.commands import (
    test_configs_rotate,
    test_crontab_changes,
    test_egress_repair,
    test_image_pull,
    test_image_set,
    test_push,
    test_restart,
    test_secrets,
    test_ssh_keys_copy,
)
from tests.commands.fakes import CRONTAB, World, container, pod
from tests.commands.test_secrets import ONE, Room
from tests.fake_registry import FakeRegistry
from tests.messages.example import NOW, Example, message, window
from tests.messages.of_commands import JONAS, OPERATOR, Stage, staged
from tests.messages.worlds import whole
from tests.services import (
    pulling,
    test_cron_run,
    test_crontab_change,
    test_declared_repair,
    test_egress_create,
    test_heartbeat_push,
    two_containers,
)
from tests.services import test_configs_rotate as rotating
from tests.services import test_egress_repair as cilium
from tests.services import test_ssh_keys_copy as copying
from tests.services.workbench import Bench, bench, opened

FEATURE = "Requests"
POLICY = ApprovalPolicy(break_glass=(seed.PRIYA,))
APPROVERS = (Mention(seed.JONAS), Mention(seed.PRIYA))
ID = "r-7k2m9xwq"
REASON = "The new SSH key has to be picked up"
REFUSED = Denied("The API server refused it: exceeded quota.")


def _refused(one: Bench) -> None:
    one.cluster.before = [REFUSED] * 9


@dataclass
class Kind:
    """How one action is asked for and carried out in the examples."""

    line: str
    """The command line that asks for it."""
    room: Callable[[], Any]
    """Where it is asked for."""
    run: Callable[[Bench], Awaitable[RepairRequest]] | None = None
    """Asks for it where it can be carried out; None: its outcomes are made up."""
    services: Callable[[], dict[str, Any]] = dict
    """What its bench is made of."""
    connect: Callable[[Bench], None] = lambda _: None
    fail: Callable[[Bench], None] = lambda one: _refused(one)
    answers: dict[str, str] = field(default_factory=dict)


def _egress_lost(one: Bench) -> None:
    cilium.cilium(one).errors = {"create": [REFUSED] * 500}


def _configs_refused(one: Bench) -> None:
    rotating.configs(one).errors = [REFUSED] * 500


def _push_refused(one: Bench) -> None:
    gateway = test_heartbeat_push.Gateway()
    gateway.before = [REFUSED] * 9
    test_heartbeat_push.connect(one, gateway)


def _side() -> Room:
    return test_restart._world(pod(init_containers=(container("proxy", image="proxy:1", role="sidecar"),)))


def _by_approval() -> Room:
    return test_push._room("approval")


def _copy() -> Room:
    room = Room()
    room.cluster = test_ssh_keys_copy.Mounted()
    return room


def _egress() -> Room:
    return test_egress_repair.room_with(test_egress_repair.policy(), restart_cilium=True)


def _pull() -> dict[str, Any]:
    cluster = pulling.Pulling()
    return {"cluster": cluster, "registry": cluster.registry}


def _gateway(one: Bench) -> None:
    test_heartbeat_push.connect(one, test_heartbeat_push.Gateway())


async def _pod_restart(one: Bench) -> RepairRequest:
    return await one.ask(seed.MAYA, reason=REASON)


async def _forced(one: Bench) -> RepairRequest:
    return await one.ask(seed.MAYA, force=True, reason=REASON)


def _undone() -> Room:
    return test_crontab_changes.room_of(previous="0 21 * * * /opt/scripts/audit-digest.sh\n")


KINDS: dict[str, Kind] = {
    "restart": Kind(f"restart --reason '{REASON}'", lambda: test_restart._world(pod()), _pod_restart),
    "restart --force": Kind("restart --force --reason 'it hangs'", lambda: test_restart._world(pod()), _forced),
    "restart --container": Kind(
        "restart --container proxy --reason 'its sessions hang'",
        _side,
        two_containers.asked,
        lambda: {"cluster": two_containers.Two()},
    ),
    "secrets set": Kind("secrets set GITHUB_TOKEN --reason rotated", Room),
    "ssh keys add": Kind(f"ssh keys add --key '{test_secrets.NEW}' --reason 'Maya has a new laptop'", Room),
    "ssh keys remove": Kind(
        f"ssh keys remove {parse_key(ONE).fingerprint} --reason 'the laptop is lost'",
        Room,
    ),
    "ssh keys copy": Kind(test_ssh_keys_copy.LINE, _copy, copying.asked, lambda: {"cluster": copying.Files()}),
    "cron edit": Kind(
        "cron edit --reason 'the digest is too early'",
        test_crontab_changes.room_of,
        test_crontab_change.asked,
        lambda: {"cluster": test_crontab_change.Pod()},
        answers={"crontab": CRONTAB.replace("0 21", "0 22").replace("open-sesame-42", PLACEHOLDER)},
    ),
    "cron undo": Kind("cron undo --reason 'the job runs too often'", _undone),
    "cron run": Kind(
        "cron run session-manager.sh --reason 'it hung'",
        test_crontab_changes.room_of,
        test_cron_run.asked,
        lambda: {"cluster": test_cron_run.Scripts()},
    ),
    "heartbeats push": Kind(
        "heartbeats push exercise_reminder context=desk --reason 'it ran by hand'",
        _by_approval,
        test_heartbeat_push.asked,
        connect=_gateway,
        fail=_push_refused,
    ),
    "egress repair": Kind(
        test_egress_repair.LINE,
        _egress,
        cilium.asked,
        lambda: {"cluster": cilium.Cilium(), "book": cilium.book(), "target": cilium.WITH},
        fail=_egress_lost,
    ),
    "egress repair --create": Kind(
        test_egress_repair.LINE,
        test_egress_repair.room_without,
        test_egress_create.asked,
        lambda: {"cluster": test_egress_create.Gone(), "book": cilium.book(), "target": cilium.WITH},
        fail=_egress_lost,
    ),
    "image pull": Kind(
        test_image_pull.LINE, lambda: test_image_pull.room_with(FakeRegistry()), pulling.asked, _pull
    ),
    "image set": Kind(test_image_set.LINE, test_image_set.room_with, pulling.set_asked, _pull),
    "configs rotate": Kind(
        test_configs_rotate.LINE,
        test_configs_rotate.Rotating,
        rotating.asked,
        lambda: {"cluster": rotating.Configs(), "target": rotating.WITH, "decryption": rotating.Sealed()},
        fail=_configs_refused,
    ),
    "declared-repair": Kind(
        "",
        World,
        test_declared_repair.asked,
        lambda: {"cluster": test_declared_repair.Services(), "book": test_declared_repair.book_of()},
    ),
}
"""How each action is asked for and carried out, by its name in the ledger."""


async def _proposed(kind: Kind) -> tuple[Proposal | None, Reply | None]:
    """What the command proposes, and the form that it shows without its arguments."""
    if not kind.line:
        return None, None
    room = kind.room()
    bare = kind.line.partition(" --reason")[0].partition(" --key")[0]
    form = await room.say(bare) if "restart" not in bare or "--force" in bare else None
    room = kind.room()
    await room.say(kind.line, kind.answers or None)
    [asked] = room.approval_service.asked
    return asked, form


def request_of(action: RepairAction, asked: Proposal | None, target: str = "secure-agent-pod") -> RepairRequest:
    """An open request, as the command proposed it."""
    found = asked or Proposal(
        action,
        Snapshot("u", 1, pods=(("secure-agent-pod-abc", "u"),)),
        REASON,
        "Runs the steps of the runbook.",
        (),
        action.name,
    )
    request = Request(ID, seed.MAYA, NOW, NOW + timedelta(minutes=30), found.snapshot)
    return RepairRequest(
        request,
        target,
        action,
        found.reason,
        found.subject,
        found.details,
        found.facts,
        found.effect,
        found.forecast,
        seed.OPS,
        seed.OPS,
    )


def _decided(repair: RepairRequest, state: RequestState, *decisions: Decision) -> RepairRequest:
    return replace(repair, request=replace(repair.request, state=state, decisions=decisions))


APPROVED = Decision(Choice.APPROVE, seed.JONAS, NOW)


def before_the_end(repair: RepairRequest) -> dict[str, RepairRequest]:
    """The request in each state that is reached without carrying it out."""
    before = repair.request.snapshot
    moved = replace(before, uid="another", version="2", pods=(("secure-agent-pod-xyz", "another"),))
    why = "; ".join(repair.action.changes(before, moved))
    void = ExecutionResult(why, NOW)
    denied = Decision(Choice.DENY, seed.JONAS, NOW, "The nightly job still runs: after 10:00, please")
    return {
        "open": repair,
        "denied": _decided(repair, RequestState.DENIED, denied),
        "withdrawn": _decided(repair, RequestState.WITHDRAWN, Decision(Choice.WITHDRAW, seed.MAYA, NOW)),
        "expired": _decided(repair, RequestState.EXPIRED),
        "void": replace(_decided(repair, RequestState.VOID, APPROVED), outcome=void),
        "executing": _decided(repair, RequestState.EXECUTING, APPROVED),
    }


async def carried_out(kind: Kind, folder: Path, *, fails: bool) -> RepairRequest | None:
    """The request after it was carried out on fakes; with ``fails`` the call is refused."""
    if kind.run is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a folder of the examples' own
    async with opened(folder) as ledger:
        one = bench(ledger, **kind.services())
        kind.connect(one)
        if fails:
            kind.fail(one)
        repair = await kind.run(one)
        await one.say(repair, Choice.APPROVE, seed.JONAS)
        ended = await _ended(one, repair)
        await one.executor.stop(1)
        return ended


async def _ended(one: Bench, repair: RepairRequest) -> RepairRequest:
    """The request once it has ended, moving the clock where it waits for time to pass."""
    for tried in range(200):
        if (found := await one.now(repair)).state.final:
            return found
        if not one.executor.busy(repair.id) or tried > 20:
            one.clock.pass_(seconds=31)
        await asyncio.sleep(0.02)
    raise AssertionError(f"{repair.action.name} does not end: {found.progress}")


def _dressed(ended: RepairRequest, asked: RepairRequest) -> RepairRequest:
    """The ended request with the words of the command that asked for it."""
    request = replace(ended.request, id=ID)
    return replace(ended, request=request, reason=asked.reason, facts=asked.facts, forecast=asked.forecast)


async def cards(folder: Path) -> AsyncIterator[Example]:
    """Each action's card in each state, and what its requester is told at the end."""
    for name, kind in KINDS.items():
        action = builtin()[name]
        asked, form = await _proposed(kind)
        if form is not None and form.form is not None:
            yield window(FEATURE, f"{name}: the form", form.form, (f"form {name}",))
        repair = request_of(action, asked)
        states = before_the_end(repair)
        if action.needs_value:
            states["approved"] = _decided(repair, RequestState.APPROVED, APPROVED)
        for state, fails in (("succeeded", False), ("failed", True)):
            ended = await carried_out(kind, folder / name.replace(" ", "-") / state, fails=fails)
            states[state] = _dressed(ended, repair) if ended is not None else _made_up(repair, state)
        for state, one in states.items():
            assert one.state.value == state, (name, state, one.state, one.outcome)
            shown = card.card(one, POLICY, APPROVERS)
            yield message(FEATURE, f"{name}: {state}", shown, (f"request {name} {state}", "kind card"))
        for state in ("succeeded", "failed", "denied"):
            told = card.outcome(states[state])
            yield message(FEATURE, f"{name}: {state}, to the requester", told, ("kind outcome",), private=True)


def _made_up(repair: RepairRequest, state: str) -> RepairRequest:
    """An outcome where the examples can't carry it out."""
    if state == "failed":
        failed = ExecutionResult("nothing was changed: the API server refused it: exceeded quota", NOW)
        return replace(_decided(repair, RequestState.FAILED, APPROVED), outcome=failed)
    done = ExecutionResult("stored", NOW, seconds=None)
    return replace(_decided(repair, RequestState.SUCCEEDED, APPROVED), outcome=done, sent_at=NOW)


async def others(folder: Path) -> AsyncIterator[Example]:
    """Messages about requests besides the cards."""
    repair = request_of(RESTART, (await _proposed(KINDS["restart"]))[0])
    secret = request_of(builtin()["secrets set"], (await _proposed(KINDS["secrets set"]))[0])
    approved = _decided(secret, RequestState.APPROVED, APPROVED)
    until = NOW + timedelta(minutes=5)
    alone = Decision(Choice.BREAK_GLASS, seed.PRIYA, NOW, "The site is down, and nobody else is awake")
    glass = _decided(repair, RequestState.EXECUTING, alone)
    paused = replace(
        _decided(repair, RequestState.EXECUTING, APPROVED), wait=Wait(NOW, NOW + timedelta(minutes=2))
    )
    two = replace(repair, request=replace(repair.request, needed=2, decisions=(APPROVED,)), joined=(seed.SAM,))
    shell = replace(repair, request=replace(repair.request, requester="terminal:root", needed=2))
    quota = "no pod can be created: exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1"
    stuck = replace(repair, forecast=Forecast(restarts=True, stuck=quota))
    spared = replace(repair, forecast=Forecast(restarts=True, stuck=quota, spared=True))
    doubt = replace(repair, forecast=Forecast(restarts=True, doubt=quota))
    warned = ExecutionResult(WARNED, NOW, (f"Won't help: {quota}",))
    crontab = read_crontab("@daily /opt/scripts/a.sh\n5 25 * * * /opt/scripts/b.sh\n", "supercronic")
    no_cron = replace(repair, forecast=Forecast(restarts=True, no_cron=ends_cron(crontab, runs=True)))
    more = (
        "Agent sessions that end: 1 more (pid 810: claude --resume)",
        "SSH sessions that end: 1 more (pid 812: sshd: claude@pts/1)",
    )
    void = replace(_decided(repair, RequestState.VOID, APPROVED), outcome=ExecutionResult(WORSE, NOW, more))
    over = "✅ sshd is well again after 12 min"
    nobody = "nobody is left, because whoever asked for it can't approve it."
    for title, reply, covers in (
        ("break-glass, under way", card.card(glass, POLICY), "kind card"),
        ("a pause for the API server", card.card(paused, POLICY), "kind card"),
        ("one of two approvals, joined", card.card(two, POLICY, APPROVERS), "kind card"),
        ("asked from a shell", card.card(shell, POLICY, APPROVERS), "kind card"),
        ("nobody can approve", card.card(repair, POLICY, (), nobody), "kind card"),
        ("void, since more would end", card.card(void, POLICY), "kind card"),
        ("no new pod would start", card.card(stuck, POLICY, APPROVERS), "kind card"),
        ("no new pod would start, and the old one stays", card.card(spared, POLICY, APPROVERS), "kind card"),
        ("a new pod may not start", card.card(doubt, POLICY, APPROVERS), "kind card"),
        ("void, since a warning is new", card.card(replace(void, outcome=warned), POLICY), "kind card"),
        ("supercronic would end at the crontab", card.card(no_cron, POLICY, APPROVERS), "kind card"),
        ("its alert is over", card.card(repair, POLICY, APPROVERS, meanwhile=over), "kind card"),
        ("the value is wanted", card.value_wanted(approved, until), "kind value"),
        ("the card can't be posted", card.unposted(repair, "The app is not in the channel."), "kind unposted"),
        ("the card was posted late", card.posted_late(repair), "kind unposted"),
        (
            "the outcome, to one who joined",
            card.outcome(before_the_end(repair)["void"], joined=True),
            "kind outcome",
        ),
    ):
        yield message(FEATURE, title, reply, (covers,), private=covers != "kind card")
    for title, one, user in (
        ("", repair, seed.JONAS),
        (", who approved it already", two, seed.JONAS),
        (", who asked for the same", two, seed.SAM),
        *(
            (f", once it is {state}", one, seed.PRIYA)
            for state, one in before_the_end(repair).items()
            if one != repair
        ),
    ):
        direct = approver_message.approver_message(one, POLICY, user)
        yield message(FEATURE, f"to an approver{title}", direct, ("kind approver",), private=True)
    for example in receipts(repair, secret):
        yield example
    soon = NOW + timedelta(minutes=25)
    for title, one, deadlock in (
        ("expires soon", repair, ""),
        ("expires soon, nobody can approve", repair, nobody),
        ("expired", _decided(repair, RequestState.EXPIRED), ""),
    ):
        said = reminder.reminder(one, APPROVERS, deadlock, soon)
        yield message(FEATURE, f"a reminder in the card's thread: {title}", said, ("kind reminder",))
    for name, state in (("restart", "succeeded"), ("restart", "failed")):
        ended = await carried_out(KINDS[name], folder / f"thread-{state}", fails=state == "failed")
        assert ended is not None
        thread = card.progress(ended, NOW)
        yield message(FEATURE, f"the thread of a {name} that {state}", thread, ("kind progress",))
    for state, one in before_the_end(repair).items():
        if state != "open":
            yield message(FEATURE, f"a decision too late: {state}", card.late(one), private=True)


def receipts(repair: RepairRequest, secret: RepairRequest) -> Iterator[Example]:
    """The private answer to whoever asked, as the request goes on."""
    mine = Receipt(repair.id, seed.MAYA, "https://hooks.example.com/1", NOW + timedelta(minutes=20), 4)
    links = (Link("Card", "https://example.slack.com/archives/C07OPSPOD01/p1796050000000100"),)
    states = before_the_end(repair)
    states["one of two approvals"] = replace(
        repair, request=replace(repair.request, needed=2, decisions=(APPROVED,))
    )
    states["approved, the value is missing"] = _decided(secret, RequestState.APPROVED, APPROVED)
    states["succeeded"] = _made_up(repair, "succeeded")
    states["failed"] = _made_up(repair, "failed")
    cases = [(state, mine, one, "") for state, one in states.items()]
    cases += [(f"{state}, to one who joined", replace(mine, user=seed.SAM), states[state], "") for state in states]
    cases += [
        ("the last update", replace(mine, closing=True), repair, ""),
        ("nobody can approve", mine, repair, "nobody is left, because whoever asked for it can't approve it."),
    ]
    for title, receipt, one, blocked in cases:
        made = update(receipt, one, links, blocked, NOW)
        assert made is not None, title
        yield message(FEATURE, f"the receipt: {title}", made.reply, ("kind receipt",), private=True)


async def decisions(folder: Path) -> AsyncIterator[Example]:
    """The answers to decisions, by the rule that accepted or refused them."""
    async for stage in staged(folder / "decisions"):
        yield await _ruled(stage)
        ctx = stage.context(whole(), OPERATOR)
        repair = request_of(RESTART, None)
        for rule in Rule:
            accepted = rule in requests._ACCEPTED
            late = rule in (Rule.NOT_OPEN, Rule.EXPIRED)
            moved = RequestState.EXPIRED if late else RequestState.EXECUTING
            one = _decided(repair, moved, APPROVED) if accepted or late else repair
            ruling = Ruling(rule, one.state)
            reply = requests.ruled(ctx, ruling, one, _CHOICES.get(rule, Choice.APPROVE))
            yield message(FEATURE, f"a decision: {rule.name.lower()}", reply, (f"rule {rule.name}",), private=True)


_CHOICES = {Rule.ONLY_THE_REQUESTER: Choice.WITHDRAW, Rule.NO_BREAK_GLASS: Choice.BREAK_GLASS}
"""What was tried, for a rule that is only about that."""


async def _ruled(stage: Stage) -> Example:
    again = await stage.run("restart --reason 'session-manager hangs'", caller=JONAS)
    return message(FEATURE, "the same request again", again, private=True)


async def examples(folder: Path) -> AsyncIterator[Example]:
    """All messages about requests."""
    async for one in cards(folder):
        yield one
    async for one in others(folder):
        yield one
    async for one in decisions(folder):
        yield one
