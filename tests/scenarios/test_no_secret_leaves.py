"""No secret's value is ever in a Slack message, a log line, the database, an error or a metric (promise 9).

Random values go through every path of `secrets set`, the failing ones too; then everything that left the bot is
searched for them, as they are and in the encodings that they take on the way.
"""

from __future__ import annotations

import base64
import json
import random
import string
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import aiohttp
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sandbox.cluster import kinds
from sandbox.house import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.repairs import DENY, Repair, asked, direct
from tests.scenarios.talk import World, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("approvals")]
ALPHABET = string.ascii_letters + string.digits + string.punctuation + " \tüß€漢"
LINE = "secrets set GITHUB_TOKEN --reason rotated"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    settings = {"probes": {"timeout": "5s"}, "log": {"format": "console", "level": "debug"}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def value(dice: random.Random) -> str:
    """A value as people have them: one line or several, of any characters, long enough to be found."""
    lines = dice.choice((1, 1, 1, 3))
    text = "\n".join("".join(dice.choices(ALPHABET, k=dice.randint(12, 60))) for _ in range(lines))
    return text.strip() or "x" * 12


def traces(secret: str) -> Iterator[str]:
    """How a value would look where it must not be: plain, by line, escaped, encoded."""
    for part in {secret, *secret.splitlines()}:
        if len(part.strip()) >= 8:
            yield from (part.strip(), json.dumps(part.strip())[1:-1], urllib.parse.quote(part.strip()))
            yield json.dumps(part.strip(), ensure_ascii=False)[1:-1]
            yield repr(part.strip())[1:-1]
    yield base64.b64encode(secret.encode()).decode()


async def everything(world: World) -> dict[str, str]:
    """All that left the bot: calls of Slack, the log, the database's files, metrics, and the audit trail."""
    folder = world.sandbox.folder
    files = sorted(folder.glob("agentpod.db*"))
    async with aiohttp.ClientSession() as session, session.get(world.bot.ops_url + "/metrics") as response:
        metrics = await response.text()
    calls = [json.dumps([c.method, c.args], ensure_ascii=False) for c in world.workspace.record.calls]
    acks = [json.dumps(e.ack, ensure_ascii=False) for e in world.workspace.record.envelopes if e.ack]
    return {
        "calls of Slack": "\n".join(calls),
        "acknowledgements": "\n".join(acks),
        "the log": world.bot.output(),
        "the database": "\n".join(f.read_bytes().decode("utf-8", "replace") for f in files),
        "metrics": metrics,
    }


async def found(world: World, secrets: list[str]) -> list[tuple[str, str]]:
    """Where any of the values is."""
    where = await everything(world)
    assert len(where["calls of Slack"]) > 1000
    assert len(where["the database"]) > 1000
    return [(name, secret) for name, text in where.items() for secret in secrets if _in(text, secret)]


def _in(text: str, secret: str) -> bool:
    return any(trace in text for trace in traces(secret))


async def approved(world: World) -> Repair:
    """An approved request that waits for its value."""
    repair = await asked(world, LINE)
    await repair.click(seed.JONAS)
    await repair.shows("waits for the value")
    return repair


async def enter(world: World, repair: Repair, secret: str, user: str = seed.MAYA) -> None:
    """Open the one-time form by the button of the direct message, and send a value."""
    here = world.workspace.messages

    def offers() -> list[Message]:
        mine = here(seed.DM_MAYA, seed.MAYA)
        return [m for m in mine if repair.id in m.all_text() and "enter it by" in m.text]

    await until(lambda: bool(offers()), lambda: f"{direct(world)}")
    await world.workspace.click(seed.MAYA, offers()[-1], "agentpod:run:0")
    view = await world.workspace.wait_view(seed.MAYA)
    await world.workspace.submit_view(user, view, {"value": secret})


def stored(world: World) -> str:
    """The value in the cluster."""
    [found_] = [s for s in world.sandbox.cluster.store.list(kinds.SECRET) if "tier2" in s["metadata"]["name"]]
    return base64.b64decode(found_["data"]["GITHUB_TOKEN"]).decode()


async def works(world: World, secret: str) -> None:
    repair = await approved(world)
    await enter(world, repair, secret)
    await repair.shows("✅")
    assert stored(world) == secret.rstrip("\r\n")


async def twice(world: World, secret: str) -> None:
    """The form is sent twice: the second one is too late."""
    repair = await approved(world)
    await world.break_("slack-duplicate")
    await enter(world, repair, secret)
    await repair.shows("✅")
    await world.workspace.panel.heal()


async def changed_meanwhile(world: World, secret: str) -> None:
    """The Secret was changed since the request: void, and nothing stored."""
    repair = await approved(world)
    store = world.sandbox.cluster.store
    [one] = [s for s in store.list(kinds.SECRET) if "tier2" in s["metadata"]["name"]]
    again = json.loads(json.dumps(one))
    again["data"]["OTHER"] = base64.b64encode(b"other").decode()
    store.put(kinds.SECRET, again)
    before = stored(world)
    await enter(world, repair, secret)
    await repair.shows("🚫")
    assert stored(world) == before


async def no_right(world: World, secret: str) -> None:
    """The API server refuses the patch."""
    repair = await approved(world)
    rules = world.sandbox.cluster.server.authorizer.rules
    kept = list(rules)
    rules[:] = [r for r in kept if "patch" not in r.verbs or "secrets" not in r.resources]
    await enter(world, repair, secret)
    await repair.shows("🔴")
    rules[:] = kept


async def repeated_by_the_api_server(world: World, secret: str) -> None:
    """Every kind of refusal, each with all that was sent in its words."""
    before = stored(world)
    for code in ("403", "409", "422", "429", "500"):
        repair = await approved(world)
        await world.break_("kube-echo", code)
        await enter(world, repair, secret)
        await repair.shows("🔴")
        assert stored(world) == before
        await world.workspace.panel.heal()


async def slack_is_away(world: World, secret: str) -> None:
    """Slack answers 500 when the outcome is told: it is told later."""
    repair = await approved(world)
    await world.break_("slack-slow")
    await enter(world, repair, secret)
    await world.break_("slack-500")
    await until(lambda: stored(world) == secret.rstrip(), lambda: "not stored")
    assert "✅" not in repair.card.text
    await world.workspace.panel.heal()
    await repair.shows("✅")


async def typed_as_a_reason(world: World, secret: str) -> None:
    """A denied request never sees a value; and a private key offered as a public one is not repeated."""
    repair = await asked(world, LINE)
    await world.workspace.click(seed.PRIYA, repair.card, DENY)
    view = await world.workspace.wait_view(seed.PRIYA)
    await world.workspace.submit_view(seed.PRIYA, view, {"reason": "no"})
    await repair.shows("⛔")
    await world.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", "ssh keys add")
    form = await world.workspace.wait_view(seed.MAYA)
    key = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}\n-----END OPENSSH PRIVATE KEY-----"
    refused = await world.workspace.submit_view(seed.MAYA, form, {"key": key, "reason": "x"})
    assert "private key" in str(refused.errors)
    await world.workspace.submit_view(seed.MAYA, form, {"key": secret, "reason": "x"})
    await world.workspace.close_view(seed.MAYA, form)


TYPED = (
    "secrets set GITHUB_TOKEN {}",
    "secrets set GITHUB_TOKEN '{}",
    "secrets set GITHUB_TOKEN --reason x --target {}",
    "secrets set {}",
    "secrets GITHUB_TOKEN={}",
    "secrets enter r-7k2m9xwq {}",
    "ssh keys {}",
    "approve {}",
    "deny {} --reason x",
    "withdraw r-7k2m9xwq {}",
    "approvals {}",
    "ack {}",
    "help secrets set GITHUB_TOKEN {}",
    "can-i secrets set GITHUB_TOKEN {}",
)


async def typed_on_the_line(world: World, secret: str) -> None:
    """A value where none belongs: the answer to it repeats nothing, for one's own eyes or in a public thread."""
    for template in TYPED:
        line = template.format(secret)
        await world.ask(line)
        said = world.workspace.mention(seed.MAYA, seed.OPS, line)
        await world.final(lambda said=said: world.workspace.messages(seed.OPS, seed.MAYA, said.ts)[1:])  # type: ignore[misc]


PATHS: tuple[Callable[[World, str], Awaitable[None]], ...] = (
    works,
    twice,
    changed_meanwhile,
    no_right,
    repeated_by_the_api_server,
    slack_is_away,
    typed_as_a_reason,
    typed_on_the_line,
)


@pytest.mark.timeout(240)
async def test_a_value_is_nowhere_but_in_the_cluster_whatever_happens_on_its_way(world: World) -> None:
    dice = random.Random(20261124)  # noqa: S311 - a test's dice
    secrets = []
    for path in (*PATHS, *PATHS[:2]):
        secret = value(dice)
        secrets.append(secret)
        await path(world, secret)
    assert await found(world, secrets) == []


async def test_a_real_private_key_offered_by_mistake_is_nowhere(world: World) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    await world.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", "ssh keys add")
    form = await world.workspace.wait_view(seed.MAYA)
    refused = await world.workspace.submit_view(seed.MAYA, form, {"key": pem, "reason": "mine"})
    assert "private key" in str(refused.errors)
    await world.workspace.close_view(seed.MAYA, form)
    lines = [line for line in pem.splitlines() if len(line) > 20 and "PRIVATE" not in line]
    assert await found(world, lines) == []


async def test_the_search_would_find_a_value(world: World) -> None:
    """The control: what does go to Slack is found by the same search."""
    await asked(world, 'restart --reason "a-reason-that-everybody-may-see"')
    places = {name for name, _ in await found(world, ["a-reason-that-everybody-may-see"])}
    assert {"calls of Slack", "the database"} <= places
