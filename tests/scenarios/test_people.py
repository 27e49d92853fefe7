"""Users and roles: a role granted to a channel applies only to members of the app's own team, on every path."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from sandbox.cluster import kinds
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from sandbox.slack.model import User
from tests.scenarios.repairs import APPROVE, DENY, Repair, id_in
from tests.scenarios.talk import Answer, World, shell, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-people")]
SHARED, LENA, GIL, SAM, MAYA, JONAS, PRIYA = (
    *(seed.SHARED, seed.LENA, seed.GIL, seed.SAM, seed.MAYA, seed.JONAS),
    seed.PRIYA,
)
IVO, NEW, AUDITOR = "U07IVO00009", "U07NEW00008", "U07AUD00010"
RULES = [
    {"role": "approver", "channels": [SHARED], "name": "the shared channel"},
    {"role": "operator", "groups": [seed.ONCALL], "name": "on-call"},
    {"role": "approver", "users": [JONAS, PRIYA, IVO], "name": "approvers"},
    {"role": "auditor", "users": [AUDITOR], "name": "auditors"},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    settings = {
        "access": {"rules": RULES, "contact": PRIYA},
        "slack": {"channel": SHARED},
        "approvals": {"open_at_once": 2},
        "probes": {"timeout": "3s"},
    }
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        for id_, name in ((IVO, "ivo"), (NEW, "new")):
            sandbox.workspace.store.users[id_] = User(id_, name, name.title())
            sandbox.workspace.store.channels[SHARED].members.append(id_)
        sandbox.workspace.store.users[AUDITOR] = User(AUDITOR, "aud", "Aud")
        sandbox.workspace.store.channels[seed.RANDOM].members.append(AUDITOR)
        yield World(sandbox, await sandbox.start_bot())


async def asked(world: World, user: str = SAM) -> Repair:
    answer = await world.ask('restart --reason "why"', user, SHARED)
    repair = Repair(world, id_in(answer.text))
    await until(lambda: card(world, repair) is not None, lambda: words(world.workspace.messages(SHARED)))
    return repair


def card(world: World, repair: Repair) -> Message | None:
    cards = [m for m in world.workspace.messages(SHARED) if m.ephemeral_for is None and repair.id in m.all_text()]
    return cards[0] if cards else None


async def clicked(world: World, repair: Repair, user: str, button: str = APPROVE) -> Answer:
    message = card(world, repair)
    assert message is not None
    done = await world.workspace.click(user, message, button)
    return await world.final(lambda: done.messages)


def seen_by(world: World, user: str, channel: str, text: str) -> Callable[[], bool]:
    return lambda: any(
        text in m.all_text() for m in world.workspace.store.everything(channel) if m.visible_to(user)
    )


@pytest.mark.parametrize(
    ("who", "why"), [(LENA, "you belong to another company"), (GIL, "you are a guest")], ids=["stranger", "guest"]
)
async def test_a_non_member_of_the_team_gets_no_channel_role_on_any_path(world: World, who: str, why: str) -> None:
    repair = await asked(world)
    for answer in (
        await world.ask("status", who, SHARED),
        await world.ask("logs", who, SHARED),
        await world.ask(f"approve {repair.id}", who, SHARED),
        await world.ask("can-i restart", who, SHARED),
        await clicked(world, repair, who),
        await clicked(world, repair, who, DENY),
    ):
        assert "You may not" in answer.first_line, answer.text
        assert why in answer.first_line
        assert f"only a rule whose users name {who} gives you a role" in answer.first_line
        mention = {"type": "user", "user_id": PRIYA}
        assert json.dumps(mention) in json.dumps([m.blocks for m in answer.messages]), "whom to ask"
    world.workspace.mention(who, SHARED, "logs")
    world.workspace.dm(who, f"approve {repair.id}")
    for channel in (SHARED, seed.DMS[who]):
        told = seen_by(world, who, channel, why if channel == SHARED else "You may not run approve")
        await until(told, lambda: words(world.workspace.store.everything(SHARED)))
    told_who = await world.ask("whoami", who, SHARED)
    assert told_who.first_line.startswith("You have no role here")
    assert why in told_who.text
    message = card(world, repair)
    assert message is not None
    assert "needs approval" in message.text
    assert "You may not" not in (await world.ask(f'deny {repair.id} --reason "the end"', MAYA, SHARED)).text


async def test_a_form_submitted_by_a_former_member_does_nothing(world: World) -> None:
    """The user was a member when the form was opened."""
    repair = await asked(world)
    message = card(world, repair)
    assert message is not None
    await world.workspace.click(MAYA, message, DENY)
    view = await world.workspace.wait_view(MAYA)
    world.workspace.store.users[MAYA].team = seed.PARTNER_TEAM
    try:
        await world.workspace.submit_view(MAYA, view, {"reason": "no"})
        await until(
            seen_by(world, MAYA, SHARED, "you belong to another company"),
            lambda: words(world.workspace.store.everything(SHARED)[-3:]),
        )
    finally:
        world.workspace.store.users[MAYA].team = ""
    assert "needs approval" in (card(world, repair) or message).text
    await world.ask(f'deny {repair.id} --reason "the end"', JONAS, SHARED)


async def test_an_approver_whose_account_was_deactivated_meanwhile_approves_nothing(world: World) -> None:
    repair = await asked(world)
    world.workspace.store.users[IVO].deleted = True
    answer = await clicked(world, repair, IVO)
    assert "your account is deactivated" in answer.first_line
    await world.ask(f'deny {repair.id} --reason "the end"', JONAS, SHARED)


async def test_a_channel_that_is_shared_with_another_company_shows_no_log(world: World) -> None:
    answer = await world.ask("logs --follow --for 1m", JONAS, SHARED)
    assert "this channel is shared with another company" in answer.text
    await world.break_("slack-missing-scope", "channels:read")
    answer = await world.ask("logs --follow --for 1m", JONAS, SHARED)
    await world.workspace.panel.heal()
    assert "it is not known whether people of another company are in this channel" in answer.text
    assert "channels:read" in answer.text


async def test_a_message_of_another_app_is_no_command(world: World) -> None:
    ran = await world.metric("agentpod_commands_total")
    world.workspace.relay(SHARED, "status")
    asked_ = world.workspace.mention(SAM, SHARED, ": whoami")
    await until(
        lambda: len(world.workspace.messages(SHARED, SAM, asked_.ts)) > 1,
        lambda: words(world.workspace.messages(SHARED)),
    )
    assert await world.metric("agentpod_commands_total") == ran + 1


async def test_a_missing_scope_for_channel_roles_is_explained(world: World) -> None:
    await world.break_("slack-missing-scope", "users:read")
    try:
        named, newcomer = await world.ask("logs", JONAS, SHARED), await world.ask("status", NEW, SHARED)
    finally:
        await world.workspace.panel.heal()
    assert "You may not" not in named.first_line
    assert "users:read" in newcomer.first_line


async def test_a_user_who_joined_a_request_can_not_approve_it(world: World) -> None:
    repair = await asked(world)
    joined = await world.ask('restart --reason "me too"', JONAS, SHARED)
    assert "another approver has to decide" in joined.text
    message = card(world, repair)
    assert message is not None
    assert "from an approver who did not ask for it" in message.all_text()
    for who in (JONAS, SAM):
        refused = await clicked(world, repair, who)
        assert "somebody else has to approve it" in refused.first_line
        assert "Four eyes" in refused.text
    assert (
        await clicked(world, repair, PRIYA)
    ).first_line == "✅ Restart of secure-agent-pod: approved, carried out now"
    await until(lambda: "✅ Restarted" in message.text, lambda: message.text)


async def test_a_shell_request_needs_one_more_approver_and_a_shell_can_not_decide(
    world: World,
) -> None:
    jonas, priya = ({"USER": user, "LOGNAME": user} for user in (JONAS, PRIYA))
    code, said = await shell(world.bot.env | jonas, "restart", "--reason", "from a shell")
    assert code == 0, said
    repair = Repair(world, id_in(said))
    assert "2 approvals" in said
    await until(lambda: card(world, repair) is not None, lambda: words(world.workspace.messages(SHARED)))
    message = card(world, repair)
    assert message is not None
    assert JONAS not in message.all_text().split("Asked by")[-1].split("Approval")[0]
    assert "somebody in a shell" in message.all_text()
    for line in (("approve", repair.id), ("deny", repair.id, "--reason", "x")):
        code, said = await shell(world.bot.env | priya, *line)
        assert code == 2, said
        assert "Requests can't be decided in a shell" in said
    assert "1 more needed" in (await clicked(world, repair, JONAS)).first_line
    assert (
        await clicked(world, repair, PRIYA)
    ).first_line == "✅ Restart of secure-agent-pod: approved, carried out now"
    await until(lambda: "✅ Restarted" in message.text, lambda: message.text)


async def test_an_approver_whose_click_finds_the_request_void_sees_the_card_s_reason(world: World) -> None:
    repair = await asked(world)
    store = world.sandbox.cluster.store
    [found] = store.list(kinds.DEPLOYMENT)
    changed = json.loads(json.dumps(found))
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "ghcr.io/derio-net/secure-agent-kali:v2"
    changed["metadata"]["generation"] += 1
    store.put(kinds.DEPLOYMENT, changed)
    world.sandbox.cluster.latency = {"*": 0.4}  # longer than a moment
    try:
        answer = await clicked(world, repair, PRIYA)
    finally:
        world.sandbox.cluster.latency = {}
    message = card(world, repair)
    assert message is not None
    assert answer.first_line.startswith("🚫")
    await until(lambda: "is void: the image of kali was changed" in message.text, lambda: message.text)


async def test_open_requests_per_user_are_limited(world: World) -> None:
    for number in (1, 2):
        line = f"secrets set KEY_{number} --new --reason why"
        assert "✋" in (await world.ask(line, MAYA, SHARED)).first_line
    answer = await world.ask("secrets set KEY_3 --new --reason why", MAYA, SHARED)
    assert "approvals.open_at_once allows no more" in answer.first_line
    assert "withdraw r-" in answer.text
    other = await world.ask("secrets set KEY_3 --new --reason why", JONAS, SHARED)
    assert "✋" in other.first_line


@pytest.mark.parametrize(
    "line", ["@agentpod: whoami", "/agentpod whoami", "agentpod, whoami", "`whoami`", " : whoami"]
)
async def test_a_command_after_the_bot_s_name_works_in_a_direct_message(world: World, line: str) -> None:
    before = len(world.workspace.messages(seed.DM_JONAS, JONAS))
    world.workspace.dm(JONAS, line)
    said = lambda: world.workspace.messages(seed.DM_JONAS, JONAS)[before + 1 :]  # noqa: E731
    await until(lambda: bool(said()), lambda: line)
    assert "approver" in words(said()), words(said())


def shown_to_all(world: World, channel: str, text: str) -> list[Message]:
    return [
        m for m in world.workspace.store.everything(channel) if m.ephemeral_for is None and text in m.all_text()
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("audit", "the last 7 d"),
        ("audit verify", "The audit trail is intact"),
        ("audit export", "of the audit trail"),
        ("logs", "lines from"),
        ("secrets", "secret"),
        ("ssh keys", "sign in"),
    ],
)
async def test_operator_answers_are_private_also_after_a_mention(world: World, line: str, says: str) -> None:
    before = len(world.workspace.store.everything(SHARED))
    world.workspace.mention(JONAS, SHARED, line)

    def new() -> list[Message]:
        return [m for m in world.workspace.store.everything(SHARED)[before:] if m.user == seed.BOT_USER]

    await until(lambda: says in words(new()), lambda: words(new()))
    assert {m.ephemeral_for for m in new()} == {JONAS}, words(new())
    assert not [m for m in new() if m.files]


@pytest.mark.parametrize(
    ("who", "line", "says"),
    [
        (JONAS, "audit --xyz", "has no flag"),
        (GIL, "audit", "You may not run audit"),
        (JONAS, "secrets set NO_SUCH_KEY", "has no such key"),
    ],
)
async def test_an_invalid_or_refused_mention_is_answered_in_place(
    world: World, who: str, line: str, says: str
) -> None:
    mention = world.workspace.mention(who, SHARED, line)
    thread = lambda: world.workspace.messages(SHARED, SAM, mention.ts)[1:]  # noqa: E731 - an argument
    await until(lambda: says in words(thread()), lambda: words(thread()))


async def test_a_user_just_removed_from_the_group_can_not_read_or_share_logs(world: World) -> None:
    group = world.workspace.store.groups[seed.ONCALL]
    world.workspace.store.channels[seed.GENERAL].members.append(NEW)
    group.users.append(NEW)
    answer = await world.ask("logs", NEW, seed.GENERAL)
    assert "You may not" not in answer.first_line
    group.users.remove(NEW)
    shared = next(
        e["action_id"]
        for m in answer.messages
        for b in m.blocks
        if b["type"] == "actions"
        for e in b["elements"]
        if e["text"]["text"] == "Share in channel"
    )
    assert "You may not run logs" in (await world.ask("logs", NEW, seed.GENERAL)).first_line
    done = await world.workspace.click(NEW, answer.messages[-1], shared)
    refusal = await world.final(lambda: done.messages)
    assert "You may not run logs" in refusal.first_line
    assert not shown_to_all(world, seed.GENERAL, "lines from")


async def test_repeated_refusals_are_summarised_in_an_intact_audit_trail(world: World) -> None:
    for _ in range(15):
        assert "You may not" in (await world.ask("logs", LENA, SHARED)).first_line
    trail = (await world.ask("audit --tail 90", JONAS, SHARED)).rows()
    refused = [about for _, _, who, about in trail if who.startswith(f"{LENA} was refused")]
    assert refused.count("logs") == 1
    assert "is intact" in (await world.ask("audit verify", JONAS, SHARED)).first_line


async def test_break_glass_is_hidden_if_its_list_is_empty(world: World) -> None:
    for line in ("help", "whoami"):
        assert "break-glass" not in (await world.ask(line, PRIYA, SHARED)).text
    may = await world.ask("can-i break-glass", PRIYA, SHARED)
    assert "No: break-glass is for those on approvals.break_glass" in may.first_line


async def test_an_auditor_reads_the_audit_trail_and_nothing_of_the_pod(world: World) -> None:
    repair = await asked(world, MAYA)

    async def first_line(line: str) -> str:
        return (await world.ask(line, AUDITOR, seed.RANDOM)).first_line

    assert repair.id in (await world.ask("audit", AUDITOR, seed.RANDOM)).text
    assert "The audit trail is intact" in await first_line("audit verify")
    assert await first_line("whoami") == "You are an auditor (rule: auditors)"
    assert await first_line("can-i audit") == "✅ Yes: you are an auditor (rule: auditors)"
    for line in ("status", "logs", "incidents", 'restart --reason "why"', f"approve {repair.id}"):
        assert "you are an auditor (rule: auditors)" in await first_line(line), line
    assert "You may not" not in (await world.ask(f'deny {repair.id} --reason "the end"', MAYA, SHARED)).text
