"""The real bot behind a proxy: everything goes through it, except what is configured to bypass it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from tests.proxies import HttpProxy, SocksProxy
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-proxies")]
PASSWORD = "a-proxys-password"
OURS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OTHERS = {
    "AGENTPOD_BRIDGE__URL": "http://bridge.example/webhook",
    "AGENTPOD_HEARTBEAT__DEAD_MAN_URL": "http://dead-man.test/a-secret-id",
}
NOTHING = dict.fromkeys((*OURS, *(name.lower() for name in OURS)), "")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox whose parts have host names that only a proxy can resolve."""
    async with Sandbox(rate_limits=False, settings={"probes": {"timeout": "2s"}}, pod_seconds=0.0) as house:
        house.workspace.call_itself("slack.test")
        yield house


def environment(sandbox: Sandbox, **proxies: str) -> dict[str, str]:
    """The bot's environment with names instead of addresses, and the given proxies."""
    path = sandbox.cluster.kubeconfig(sandbox.folder / "elsewhere")
    path.write_text(path.read_text(encoding="utf-8").replace("127.0.0.1", "cluster.test"), encoding="utf-8")
    return {
        **NOTHING,
        "KUBECONFIG": str(path),
        "AGENTPOD_PUSHGATEWAY__URL": sandbox.pushgateway.url.replace("127.0.0.1", "gateway.test"),
        **proxies,
    }


async def agentpod(word: str, sandbox: Sandbox, env: Mapping[str, str]) -> tuple[int, str]:
    bot = sandbox.bot(**env)
    await bot.start(word)
    return await bot.wait(), " ".join(bot.output().split())


@pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])
async def test_everything_goes_through_the_proxy(sandbox: Sandbox, kind: type[HttpProxy | SocksProxy]) -> None:
    async with kind("me", PASSWORD) as proxy:
        bot = await sandbox.start_bot(**environment(sandbox, ALL_PROXY=proxy.url))
        world = World(sandbox, bot)
        answer = await world.healthy()
        output = bot.output()
        await bot.stop()
        assert proxy.hosts == {"slack.test", "cluster.test", "gateway.test"}
    assert "Traceback" not in output
    assert PASSWORD not in output + answer.text


async def test_check_names_the_proxy_of_each_connection(sandbox: Sandbox) -> None:
    async with HttpProxy("me", PASSWORD) as proxy:
        env = environment(sandbox, HTTP_PROXY=proxy.url, NO_PROXY="127.0.0.0/8,.example")
        code, said = await agentpod("check", sandbox, env | OTHERS)
    way = f"through http://{proxy.address} (HTTP_PROXY)"
    assert code == 0, said
    for what in ("Slack", "the API server", "the Pushgateway", "the dead man's switch"):
        assert f"Route to {what}: {way}" in said
    assert "Route to the health-bridge: direct (NO_PROXY has .example)" in said
    assert f"the app token opens connections; the socket goes {way}" in said
    assert PASSWORD not in said
    assert "a-secret-id" not in said


async def test_an_invalid_proxy_is_reported_at_once(sandbox: Sandbox) -> None:
    env = environment(sandbox, HTTP_PROXY=f"ftp://me:{PASSWORD}@p:1") | OTHERS
    started, at_start = await agentpod("run", sandbox, env)
    checked, at_check = await agentpod("check", sandbox, env)
    assert (started, checked) == (2, 1)
    for said in (at_start, at_check):
        assert "HTTP_PROXY is not the address of a proxy: its scheme is ftp." in said
        assert "Write HTTP_PROXY as http://host:port" in said
        assert "Traceback" not in said
        assert "internal error" not in said
        assert PASSWORD not in said
    assert at_start.count("its scheme is ftp") == 1
