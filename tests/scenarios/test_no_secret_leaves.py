"""No secret's value ever appears in a Slack message, a log line, the database, an error or a metric.

Hypothesis draws values and the path that each takes, also the ones that fail, all on one bot; after each, and once
more at the end, everything that left it is searched (`leaks`). Each path is taken at least once, with a value that
is hard to hide. The same is drawn every time: `LEAKS_SEED` draws others, `LEAKS_EXAMPLES` more.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import html
import itertools
import json
import os
import signal
import sqlite3
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, example, given, seed, settings
from hypothesis import strategies as st

from sandbox.cluster import kinds
from sandbox.environment import Sandbox
from sandbox.slack import seed as people
from sandbox.slack.message import Message
from sandbox.slack.views import View
from tests.scenarios import leaks
from tests.scenarios.repairs import DENY, Repair, asked, direct
from tests.scenarios.talk import PATIENCE, World, is_final, until, words

pytestmark = pytest.mark.xdist_group("no-secret-leaves")
in_the_world = pytest.mark.asyncio(loop_scope="module")
LINE = "secrets set GITHUB_TOKEN --reason rotated"
CALL = 2.0
"""Seconds that a call of the API server may take."""
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBbPmf2GxFfSPnIZS1dLNLQrC0mUP0VfWVtHcMqsm9kB maya"
Path = Callable[[World, str], Awaitable[None]]
USED: list[str] = []
"""All values used so far."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    conf = {"probes": {"timeout": f"{CALL:g}s"}, "log": {"format": "console", "level": "debug"}}
    async with Sandbox(rate_limits=False, settings=conf, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        yield world
        assert await leaks.found(world, USED, leaks.marks) == []


# -- steps of a request


async def approved(world: World, line: str = LINE) -> Repair:
    """Make an approved request, which waits for its value."""
    repair = await asked(world, line)
    await repair.click(people.JONAS)
    await repair.shows("waiting for the requester to enter it")
    return repair


async def form(world: World, repair: Repair) -> View:
    """Open the one-time form by the direct message's button."""
    here = world.workspace.messages

    def offers() -> list[Message]:
        mine = here(people.DM_MAYA, people.MAYA)
        return [m for m in mine if repair.id in m.all_text() and "enter it by" in m.text]

    await until(lambda: bool(offers()), lambda: f"{direct(world)}")
    await world.workspace.click(people.MAYA, offers()[-1], "agentpod:run:0")
    return await world.workspace.wait_view(people.MAYA, lambda view: repair.id in view.body["private_metadata"])


async def enter(world: World, repair: Repair, secret: str) -> None:
    """Submit a value in the form."""
    await world.workspace.submit_view(people.MAYA, await form(world, repair), {"value": secret})


async def answered(world: World, text: str) -> None:
    """Wait until the text is in the requester's direct messages or the channel."""

    def said() -> str:
        return "\n".join(words(world.workspace.messages(place)) for place in (people.DM_MAYA, people.OPS))

    await until(lambda: text in said(), lambda: said()[-2000:])


def secret_object(world: World) -> dict[str, Any]:
    """The Secret that the requests change."""
    [one] = [s for s in world.sandbox.cluster.store.list(kinds.SECRET) if "tier2" in s["metadata"]["name"]]
    return copy.deepcopy(one)


def stored(world: World, key: str = "GITHUB_TOKEN") -> str:
    """The value in the cluster."""
    return base64.b64decode(secret_object(world)["data"][key]).decode()


def kept(secret: str) -> str:
    """The stored form of what was typed."""
    return secret.rstrip("\r\n")


# -- paths on which the value is stored


async def works(world: World, secret: str) -> None:
    repair = await approved(world)
    await enter(world, repair, secret)
    await repair.shows("✅")
    assert stored(world) == kept(secret)


async def into_a_key_that_was_not_there(world: World, secret: str) -> None:
    """A new key: refused without --new, stored with it."""
    assert "has no such key" in (await world.ask("secrets set NEW_ONE.2 --reason x")).text
    repair = await approved(world, "secrets set NEW_ONE --new --reason x")
    await enter(world, repair, secret)
    await repair.shows("✅")
    assert stored(world, "NEW_ONE") == kept(secret)


async def twice(world: World, secret: str) -> None:
    """The form is submitted twice: the second submission is too late."""
    repair = await approved(world)
    await world.break_("slack-duplicate")
    await enter(world, repair, secret)
    await repair.shows("✅")


async def slack_is_away(world: World, secret: str) -> None:
    """Slack answers 500 while the outcome is posted: it is posted later."""
    repair = await approved(world)
    view = await form(world, repair)
    await world.break_("slack-500")
    await world.workspace.submit_view(people.MAYA, view, {"value": secret})
    await until(lambda: stored(world) == kept(secret), lambda: "not stored")
    assert "✅" not in repair.card.text
    await world.workspace.panel.heal()
    await repair.shows("✅")


async def the_api_server_is_away_for_a_moment(world: World, secret: str) -> None:
    repair = await approved(world)
    view = await form(world, repair)
    await world.break_("kube-refuse")
    await world.workspace.submit_view(people.MAYA, view, {"value": secret})
    await repair.shows("under way")
    await world.workspace.panel.heal()
    await repair.shows("✅")
    assert stored(world) == kept(secret)


async def the_api_server_gives_no_answer(world: World, secret: str) -> None:
    """The change gets no answer in time: the bot checks whether it was made, and sends it again."""
    repair = await approved(world)
    left = [CALL * 5]
    world.sandbox.cluster.latency = lambda call: left.pop() if left and call == "patch secrets" else 0.0
    await enter(world, repair, secret)
    await repair.shows("✅")
    assert (left, stored(world)) == ([], kept(secret))


# -- paths on which the value is not stored


async def changed_meanwhile(world: World, secret: str) -> None:
    """The Secret was changed after the request: the request is void, and nothing is stored."""
    repair = await approved(world)
    other = secret_object(world)
    other["data"]["OTHER"] = base64.b64encode(repair.id.encode()).decode()
    world.sandbox.cluster.store.put(kinds.SECRET, other)
    before = stored(world)
    await enter(world, repair, secret)
    await repair.shows("🚫")
    assert stored(world) == before


async def gone_meanwhile(world: World, secret: str) -> None:
    """The Secret was deleted after the request."""
    repair = await approved(world)
    was, store = secret_object(world), world.sandbox.cluster.store
    store.remove(kinds.SECRET, was["metadata"]["namespace"], was["metadata"]["name"])
    await enter(world, repair, secret)
    await repair.shows("🔴")
    store.put(kinds.SECRET, was)


async def no_right(world: World, secret: str) -> None:
    """The API server refuses the patch."""
    repair = await approved(world)
    rules = world.sandbox.cluster.server.authorizer.rules
    all_of_them, before = list(rules), stored(world)
    rules[:] = [r for r in rules if "patch" not in r.verbs or "secrets" not in r.resources]
    await enter(world, repair, secret)
    await repair.shows("🔴")
    rules[:] = all_of_them
    assert stored(world) == before


async def repeated_by_the_api_server(world: World, secret: str) -> None:
    """Every kind of refusal, each with a message that repeats all that was sent."""
    before = stored(world)
    for code in ("403", "409", "422", "429", "500"):
        repair = await approved(world)
        view = await form(world, repair)
        await world.break_("kube-echo", code)
        await world.workspace.submit_view(people.MAYA, view, {"value": secret})
        await repair.shows("🔴")
        assert stored(world) == before
        await world.workspace.panel.heal()


async def too_long(world: World, secret: str) -> None:
    """Longer than Slack's form allows, and refused by the API server with a message that repeats it."""
    repair = await approved(world)
    view = await form(world, repair)
    for block in view.body["blocks"]:
        block.get("element", {})["max_length"] = 10**6
    await world.break_("kube-echo", "422")
    await world.workspace.submit_view(people.MAYA, view, {"value": "\n".join([secret] * 300)})
    await repair.shows("🔴")


async def too_late(world: World, secret: str) -> None:
    """The form was opened in time and is submitted after the deadline."""
    repair = await approved(world)
    view, before = await form(world, repair), stored(world)
    ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    with contextlib.closing(sqlite3.connect(world.sandbox.folder / "agentpod.db")) as ledger, ledger:
        wanted = "UPDATE cases SET body = json_set(body, '$.request.decisions[0].at', ?) WHERE id = ?"
        assert ledger.execute(wanted, (ago, repair.id)).rowcount == 1
    await world.workspace.submit_view(people.MAYA, view, {"value": secret})
    await repair.shows("no value was given in time")
    assert stored(world) == before


async def in_somebody_elses_form(world: World, secret: str) -> None:
    """Two others submit the requester's form, an approver and a user without a role; the requester still can."""
    repair = await approved(world)
    before = stored(world)
    for user, refusal in ((people.JONAS, "Only the requester"), (people.SAM, f"You may not give {repair.id}")):
        await world.workspace.submit_view(user, await form(world, repair), {"value": secret})
        await answered(world, refusal)
        await world.ask("whoami")  # so that the next click on the same button is no double tap
    assert stored(world) == before
    await enter(world, repair, secret)
    await repair.shows("✅")


async def in_a_forged_form(world: World, secret: str) -> None:
    """A forged form, for something else: nothing handles the value, or no pending request matches it."""
    repair = await approved(world)
    before = stored(world)
    sinks = ("secret:r-zzzzzzzz", "secret:../../etc", "elsewhere")
    lines = (f"approve {repair.id}", f"deny {repair.id}", "restart", "secrets set", "ssh keys add", "no such")
    for change in (*({"s": sink} for sink in sinks), *({"s": "", "c": line} for line in lines), {"s": 7}):
        view = await form(world, repair)
        view.body["private_metadata"] = json.dumps(json.loads(view.body["private_metadata"]) | change)
        await world.workspace.submit_view(people.MAYA, view, {"value": secret})
        await world.workspace.close_view(people.MAYA, view)
    assert stored(world) == before
    await enter(world, repair, secret)
    await repair.shows("✅")


# -- places where no value belongs

ANYWHERE = (
    "secrets set GITHUB_TOKEN {}",
    "secrets set GITHUB_TOKEN '{}",
    "secrets set GITHUB_TOKEN --reason x --target {}",
    "secrets set GITHUB_TOKEN --reason x --secret {}",
    "secrets set {}",
    "secrets GITHUB_TOKEN={}",
    "secrets enter r-7k2m9xwq {}",
    "secrets enter {}",
    "ssh keys {}",
    "ssh keys add --key {}",
    "ssh keys remove {}",
    "ack {}",
    "help secrets set GITHUB_TOKEN {}",
    "can-i secrets set GITHUB_TOKEN {}",
)
DECIDING = ("approve {}", "deny {}", "deny {} --reason x", "withdraw {}", "break-glass {}", "approvals {}")


async def typed(world: World, line: str) -> None:
    """Type it as a slash command and by mention: a refusal is shown to the sender only, all else in the thread."""
    await world.ask(line)
    before = _private(world)
    said = world.workspace.mention(people.MAYA, people.OPS, line)

    def answered() -> bool:
        return _private(world) > before or is_final(thread(world, said))

    await until(answered, lambda: f"no answer to {line!r}: {words(thread(world, said))!r}")


def thread(world: World, said: Message) -> list[Message]:
    """The replies to a message."""
    return world.workspace.messages(people.OPS, people.MAYA, said.ts)[1:]


def _private(world: World) -> int:
    """The number of ephemeral messages."""
    return sum(call.method == "chat.postEphemeral" for call in list(world.workspace.record.calls))


async def typed_on_the_line(world: World, secret: str) -> None:
    """The answer repeats nothing of the value, neither privately nor in a public thread."""
    for template in ANYWHERE:
        await typed(world, template.format(secret))


async def typed_where_one_decides(world: World, secret: str) -> None:
    """In place of a request's id, and after one."""
    repair = await asked(world, LINE)
    for template in DECIDING:
        await typed(world, template.format(secret))
        await typed(world, template.format(f"{repair.id} {secret}"))
    await repair.click(people.MAYA, "agentpod:run:2")


async def pasted_as_a_reason(world: World, secret: str) -> None:
    """A reason with a recognisable secret is refused, since reasons are kept for good."""
    shaped = f"{leaks.SHAPES[len(secret) % len(leaks.SHAPES)]}{leaks.mark(len(secret))}"
    USED.append(shaped)
    assert "looks like a secret" in (await world.ask(f"restart --reason 'with {shaped}'")).text
    repair = await asked(world, LINE)
    for line in (f"deny {repair.id} --reason {shaped}", f"break-glass {repair.id} --reason {shaped}"):
        assert "looks like a secret" in (await world.ask(line, people.PRIYA)).text
    await world.workspace.click(people.PRIYA, repair.card, DENY)
    view = await world.workspace.wait_view(people.PRIYA)
    refused = await world.workspace.submit_view(people.PRIYA, view, {"reason": leaks.private_key(len(secret))})
    assert "looks like a secret" in str(refused.errors)
    await world.workspace.submit_view(people.PRIYA, view, {"reason": "no"})
    await repair.shows("⛔")


async def pasted_as_a_public_key(world: World, secret: str) -> None:
    """A private key, a value, and a public key with the value in a second line."""
    await world.workspace.slash(people.MAYA, people.OPS, "/agentpod", "ssh keys add")
    view = await world.workspace.wait_view(people.MAYA)
    private = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}\n-----END OPENSSH PRIVATE KEY-----"
    for key in (private, secret, f"{PUBLIC}\n{secret}", f"{secret}\n{PUBLIC}", f"ssh-ed25519 {secret}"):
        assert (await world.workspace.submit_view(people.MAYA, view, {"key": key, "reason": "x"})).errors
    await world.workspace.close_view(people.MAYA, view)


# -- slow paths


async def killed_before_it_is_stored(world: World, secret: str) -> None:
    """SIGKILL between the claim and the change: the next process reports that nothing was stored."""
    repair = await approved(world)
    sending, before = asyncio.Event(), stored(world)

    def latency(call: str) -> float:
        if call != "patch secrets":
            return 0.0
        sending.set()
        return PATIENCE

    world.sandbox.cluster.latency = latency
    await enter(world, repair, secret)
    await asyncio.wait_for(sending.wait(), PATIENCE)
    await world.bot.stop(signal.SIGKILL)
    world.sandbox.cluster.latency = {}
    world.bot = await world.sandbox.start_bot()
    await repair.shows("stopped before the value was stored")
    assert stored(world) == before


async def the_api_server_stays_away(world: World, secret: str) -> None:
    repair = await approved(world)
    view, before = await form(world, repair), stored(world)
    await world.break_("kube-refuse")
    await world.workspace.submit_view(people.MAYA, view, {"value": secret})
    await repair.shows("nothing was stored")
    assert stored(world) == before


async def the_ledger_is_locked(world: World, secret: str) -> None:
    """Another process locks the file for longer than the claim waits: the value can be entered again."""
    repair = await approved(world)
    view, before = await form(world, repair), stored(world)
    with contextlib.closing(sqlite3.connect(world.sandbox.folder / "agentpod.db")) as ledger:
        ledger.execute("BEGIN IMMEDIATE")
        await world.workspace.submit_view(people.MAYA, view, {"value": secret})
        await answered(world, "is locked by another process")
        ledger.rollback()
    assert stored(world) == before
    await enter(world, repair, secret)
    await repair.shows("✅")


TYPING: tuple[Path, ...] = (
    typed_on_the_line,
    typed_where_one_decides,
    pasted_as_a_reason,
    pasted_as_a_public_key,
)
QUICK: tuple[Path, ...] = (
    works,
    into_a_key_that_was_not_there,
    twice,
    changed_meanwhile,
    gone_meanwhile,
    too_long,
    too_late,
    in_somebody_elses_form,
    in_a_forged_form,
    *TYPING,
)
"""The paths that Hypothesis draws."""
SLOW: tuple[Path, ...] = (
    no_right,
    slack_is_away,
    repeated_by_the_api_server,
    the_api_server_is_away_for_a_moment,
    the_api_server_gives_no_answer,
    killed_before_it_is_stored,
    the_api_server_stays_away,
    the_ledger_is_locked,
)
"""Paths that run once, since each of them waits for something."""


def each_once(test: Any) -> Any:
    """Every path with one hard value, and those on which a value is typed on a line with all of them."""
    paths = (*SLOW, *QUICK, *(path for path in TYPING[:2] for _ in leaks.HARD))
    for path, secret in zip(paths, itertools.cycle(leaks.HARD)):
        test = example(path=path, secret=secret)(test)
    return test


@in_the_world
@pytest.mark.timeout(240)
@seed(int(os.environ.get("LEAKS_SEED", "20261124")))
@settings(
    max_examples=int(os.environ.get("LEAKS_EXAMPLES", "15")),
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),  # shrinking would take longer than a test may
    suppress_health_check=list(HealthCheck),
)
@each_once
@given(path=st.sampled_from(QUICK), secret=leaks.VALUES)
async def test_a_value_is_stored_in_the_cluster_only_whatever_path_it_takes(
    world: World, path: Path, secret: str
) -> None:
    USED.append(secret)
    try:
        await path(world, secret)
    finally:
        world.sandbox.cluster.latency = {}
        await world.workspace.panel.heal()
    assert await leaks.found(world, [secret]) == []


def written(secret: str) -> tuple[str, ...]:
    """A value embedded in typical program output."""
    first = secret.encode()
    return (
        f"it is {secret}!",
        json.dumps({"body": json.dumps({"reason": secret})}),
        urllib.parse.urlencode({"text": secret}),
        f"<b>{html.escape(secret)}</b>",
        f"ValueError({secret!r})",
        base64.b64encode(b"a " + first).decode(),
        base64.b64encode(b'{"data": "' + first + b'"}').decode(),
        f"X{(b'..' + first).hex()}",
        secret[::-1],
        f"…{secret.strip()[-70:]}",
    )


@pytest.mark.parametrize("secret", leaks.HARD, ids=range(len(leaks.HARD)))
def test_the_search_finds_a_value_in_any_encoding(secret: str) -> None:
    traces = leaks.traces(secret)
    assert [text for text in written(secret) if not any(trace in text for trace in traces)] == []
    others = {trace for other in leaks.HARD if other != secret for trace in leaks.traces(other)}
    assert [trace for trace in others for text in written(secret) if trace in text] == []


@in_the_world
async def test_the_search_finds_text_that_is_sent_to_slack(world: World) -> None:
    """The control: a reason is public, and is kept."""
    await asked(world, 'restart --reason "a-reason-that-everybody-may-see"')
    places = {name for name, _ in await leaks.found(world, ["a-reason-that-everybody-may-see"])}
    assert {"calls of Slack", "the database"} <= places
    where = await leaks.everything(world)
    assert all(len(where[name]) > 100 for name in ("calls of Slack", "the log", "the database", "/metrics"))
