"""Start-up mistakes: each ends with an explanation and an exit code, never with a traceback."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from sandbox.cluster import PretendCluster
from sandbox.cluster.rbac import NAMESPACE, Rule
from sandbox.environment import BotProcess, Sandbox, own_interpreter
from sandbox.slack import seed
from tests.scenarios.talk import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-start")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox without a bot."""
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as house:
        yield house


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each process with a fresh interpreter, as people do, with no module loaded yet."""
    monkeypatch.setattr(BotProcess, "spawn", staticmethod(own_interpreter))


async def _run(sandbox: Sandbox, *words: str, env: Mapping[str, str | None] | None = None) -> tuple[int, str]:
    bot = sandbox.bot()
    for name, value in (env or {}).items():
        bot.env.pop(name, None)
        if value is not None:
            bot.env[name] = value
    await bot.start(*words)
    code = await bot.wait()
    output = bot.output()
    assert "Traceback" not in output
    return code, output


CONFIG, TOLD = "AGENTPOD_CONFIG", "AGENTPOD_SLACK__CHANNEL"


@pytest.mark.parametrize("word", ["run", "check", "status"])
async def test_a_typo_in_the_file_is_named_with_a_suggestion(sandbox: Sandbox, tmp_path: Path, word: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("slack:\n  bot_tokn: x\n")
    code, output = await _run(sandbox, word, env={CONFIG: str(path)})
    assert code == 2
    assert "slack.bot_tokn is not a setting (a.yaml line 2). Did you mean 'bot_token'?" in output


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({CONFIG: "/nowhere.yaml"}, "named by AGENTPOD_CONFIG"),
        ({"AGENTPOD_SLACK__BOT_TOKN": "x"}, "Did you mean AGENTPOD_SLACK__BOT_TOKEN?"),
        ({"AGENTPOD_SLACK__BOT_TOKEN": None}, "slack.bot_token is not set"),
        ({"AGENTPOD_SLACK__APP_TOKEN": None}, "slack.app_token is not set"),
        ({"AGENTPOD_SLACK__MODE": "http"}, "slack.signing_secret is not set"),
        ({TOLD: "#ops"}, "'#ops' is not a channel's id, such as C0123456789"),
        ({"AGENTPOD_SLACK__BOT_TOKEN": "xoxb-wrong-token-0"}, "invalid_auth"),
        ({"AGENTPOD_SLACK__API_URL": "http://127.0.0.1:9/api/"}, "127.0.0.1:9"),
        ({"AGENTPOD_OPS__PORT": "1", "AGENTPOD_OPS__HOST": "203.0.113.1"}, "AGENTPOD_OPS__PORT"),
    ],
)
async def test_a_wrong_setting_is_explained_at_start(
    sandbox: Sandbox, env: Mapping[str, str | None], says: str
) -> None:
    code, output = await _run(sandbox, "run", env=env)
    assert code == 2
    assert says in output
    assert "wrong-token-0" not in output


@pytest.mark.usefixtures("cold")
async def test_check_passes_a_correct_setup(sandbox: Sandbox) -> None:
    code, output = await _run(sandbox, "check")
    assert code == 0, output
    assert "Everything works." in output
    assert "rights are granted, and no others" in output
    assert sandbox.workspace.bot_token not in output


ARCHIVED = "C07ARCHIVED1"


@pytest.fixture
def archived(sandbox: Sandbox) -> Iterator[None]:
    """An archived channel of which the bot was a member."""
    channels = sandbox.workspace.store.channels
    channels[ARCHIVED] = replace(channels[seed.OPS], id=ARCHIVED, name="old-ops", is_archived=True)
    yield
    del channels[ARCHIVED]


@pytest.mark.usefixtures("archived")
@pytest.mark.parametrize(
    ("channel", "word", "remedy"),
    [
        (seed.RANDOM, "not_in_channel", "In the channel: /invite @agentpod"),
        (seed.PRIVATE, "channel_not_found", "in a private channel, first /invite @agentpod"),
        ("C0NOWHERE00", "channel_not_found", "Copy the id from the end of the channel's About"),
        (ARCHIVED, "is_archived", "Unarchive it"),
    ],
)
async def test_check_names_channels_where_the_bot_can_not_post_and_the_remedy(
    sandbox: Sandbox, channel: str, word: str, remedy: str
) -> None:
    code, output = await _run(sandbox, "check", env={TOLD: channel, "AGENTPOD_DIGEST__CHANNEL": seed.OPS})
    assert code == 1, output
    said = " ".join(output.split())
    assert f"✗ Slack channel {channel}: slack.channel: the" in said
    assert f"({word}). → " in said
    assert remedy in said
    assert f"✓ Slack channel {seed.OPS}: digest.channel: agentpod may post there" in said
    assert "1 to fix" in said
    assert sandbox.workspace.messages(seed.OPS) == []


async def test_check_and_start_name_notifications_without_a_channel(sandbox: Sandbox, tmp_path: Path) -> None:
    config = tmp_path / "a.yaml"
    config.write_text(yaml.safe_dump(sandbox.settings() | {"slack": {}}))
    code, output = await _run(sandbox, "check", env={CONFIG: str(config)})
    assert code == 0, output
    told = "slack.channel is not set: alerts and the digest are posted nowhere, and approval cards go where"
    assert told in " ".join(output.split())
    assert TOLD in output
    bot = await sandbox.start_bot(**{CONFIG: str(config)})
    try:
        await until(lambda: told in bot.output(), bot.output)
    finally:
        await bot.stop()


@pytest.mark.usefixtures("cold")
async def test_an_unusable_channel_is_reported_but_does_not_prevent_the_start(sandbox: Sandbox) -> None:
    bot = await sandbox.start_bot(**{TOLD: seed.RANDOM})
    try:
        await until(lambda: f"Slack channel {seed.RANDOM}" in bot.output(), bot.output)
        assert "the app is not in the channel (not_in_channel)." in bot.output()
        assert "/invite @agentpod" in bot.output()
    finally:
        await bot.stop()


@pytest.fixture
def wider(sandbox: Sandbox) -> Iterator[None]:
    """Grant the account one Role more than it needs."""
    rules = sandbox.cluster.server.authorizer.rules
    more = Rule(NAMESPACE, ("",), ("secrets",), ("get", "list"))
    rules.append(more)
    yield
    rules.remove(more)


@pytest.mark.usefixtures("wider")
async def test_check_names_the_account_s_excess_rights(sandbox: Sandbox) -> None:
    code, output = await _run(sandbox, "check")
    assert code == 0, output
    said = " ".join(output.split())
    assert (
        "! Target secure-agent-pod: the account can do more than agentpod needs: get, list secrets (any)" in said
    )
    assert "--as=system:serviceaccount:secure-agent-pod:agentpod" in said
    assert "rights are granted, and no others" not in said


@pytest.mark.usefixtures("wider")
async def test_the_start_up_report_warns_of_the_account_s_excess_rights(sandbox: Sandbox) -> None:
    said = await _start_up_report(sandbox)
    assert "the account can do more than agentpod needs: get, list secrets (any)" in said
    assert "missing=0  excess=1" in said


async def _start_up_report(sandbox: Sandbox) -> str:
    """A bot's output until it has checked its rights."""
    bot = await sandbox.start_bot()
    try:
        await until(lambda: "permissions checked" in bot.output(), bot.output)
    finally:
        await bot.stop()
    return bot.output()


@pytest.fixture
def unlisted(sandbox: Sandbox) -> Iterator[None]:
    """Let the API server refuse to list the account's rights."""
    sandbox.cluster.server.faults.forbidden = "selfsubjectrulesreviews"
    yield
    sandbox.cluster.server.faults.forbidden = ""


@pytest.mark.usefixtures("unlisted")
async def test_a_refused_list_of_rights_is_unknown_in_check_rather_than_ok(sandbox: Sandbox) -> None:
    code, output = await _run(sandbox, "check")
    assert code == 0, output
    said = " ".join(output.split())
    assert "unknown what else the account can do: The bot may not create selfsubjectrulesreviews" in said
    assert "and no others" not in said


@pytest.mark.usefixtures("unlisted")
async def test_a_refused_list_of_rights_is_unknown_in_the_start_up_report(sandbox: Sandbox) -> None:
    said = await _start_up_report(sandbox)
    assert said.count("not known what else the account can do: ") == 1
    assert "missing=0  excess=unknown" in said


async def test_check_reports_an_administrator_account_briefly(sandbox: Sandbox, tmp_path: Path) -> None:
    admin = sandbox.cluster.kubeconfig(tmp_path / "admin", user="admin")
    code, output = await _run(sandbox, "check", env={"KUBECONFIG": str(admin)})
    assert code == 0, output
    said = " ".join(output.split())
    assert "agentpod needs: everything: cluster admin → Fine for a try as kubernetes-admin;" in said


async def test_check_lists_all_problems_at_once_with_remedies(sandbox: Sandbox, tmp_path: Path) -> None:
    wrong = {
        "AGENTPOD_SLACK__APP_TOKEN": "xapp-wrong-token-0",
        "KUBECONFIG": str(tmp_path / "none"),
        "AGENTPOD_PUSHGATEWAY__URL": "http://127.0.0.1:9",
        "AGENTPOD_ACCESS__RULES": "[]",
    }
    code, output = await _run(sandbox, "check", env=wrong)
    assert code == 1
    for part in ("app_token", "kubeconfig", "127.0.0.1:9", "No access rules", "4 to fix"):
        assert part.lower() in output.lower(), output
    assert "wrong-token-0" not in output


async def test_check_reports_invalid_tokens_and_approvals_without_calling_slack(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    rules = [{"role": "operator", "groups": [seed.ONCALL]}]
    config = tmp_path / "a.yaml"
    config.write_text(
        yaml.safe_dump(sandbox.settings() | {"access": {"rules": rules}, "approvals": {"needed": 3}})
    )
    tokens = {"AGENTPOD_SLACK__BOT_TOKEN": "xoxp-9876-wrong", "AGENTPOD_SLACK__APP_TOKEN": "hello"}
    code, output = await _run(sandbox, "check", env={CONFIG: str(config), **tokens})
    assert code == 1, output
    said = " ".join(output.split())
    assert "slack.bot_token is a user token, not a bot token." in said
    assert "slack.app_token is not an app-level token: it does not begin with xapp-" in said
    assert "approvals.needed is 3, and no access rule gives the role approver: nothing can be approved." in said
    assert "3 to fix" in said
    assert "9876" not in output
    assert "hello" not in output


async def test_check_names_unusable_accounts_in_the_rules(sandbox: Sandbox, tmp_path: Path) -> None:
    rules = [{"role": "approver", "users": [seed.BOT_USER, seed.PRIYA, seed.SAM, "U0NOBODY00", seed.LENA]}]
    config = tmp_path / "a.yaml"
    config.write_text(yaml.safe_dump(sandbox.settings() | {"access": {"rules": rules}}))
    people = sandbox.workspace.store.users
    people[seed.SAM].deleted = True
    try:
        code, output = await _run(sandbox, "check", env={CONFIG: str(config)})
    finally:
        people[seed.SAM].deleted = False
    assert code == 0, output
    said = " ".join(output.split())
    assert f"{seed.BOT_USER} is named in the access rules, and it is a bot" in said
    assert f"{seed.SAM} is named in the access rules, and the account is deactivated" in said
    assert "U0NOBODY00 is named in the access rules, and Slack knows nobody of that id" in said
    assert f"{seed.PRIYA} is named" not in said
    assert f"{seed.LENA} is named" not in said


async def test_a_bot_without_a_cluster_starts_and_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    code, output = await _run(sandbox, "status", env={"KUBECONFIG": str(tmp_path / "none")})
    assert code == 2
    assert "kubeconfig" in output.lower()


async def test_an_untrusted_certificate_is_explained(sandbox: Sandbox, tmp_path: Path) -> None:
    async with PretendCluster(speed=0.0, tls=True) as cluster:
        config = cluster.kubeconfig(tmp_path / "kubeconfig", user="agentpod")
        trusting = yaml.safe_load(config.read_text())
        code, output = await _run(sandbox, "pods", env={"KUBECONFIG": str(config)})
        assert code == 0, output
        for entry in trusting["clusters"]:
            entry["cluster"].pop("certificate-authority-data", None)
            entry["cluster"].pop("certificate-authority", None)
        config.write_text(yaml.safe_dump(trusting))
        code, output = await _run(sandbox, "pods", env={"KUBECONFIG": str(config)})
    assert code == 2
    assert "is not trusted" in output
    assert "certificate-authority" in output


@pytest.mark.parametrize("word", ["run", "check"])
async def test_extra_arguments_are_refused(sandbox: Sandbox, word: str) -> None:
    code, output = await _run(sandbox, word, "please")
    assert code == 2
    assert "please" in output


@pytest.mark.parametrize(
    ("fault", "value", "code"),
    [(None, None, 0), ("pod-kill-process", "sshd", 1), ("kube-refuse", True, 2)],
)
async def test_the_exit_code_reflects_the_verdict(
    sandbox: Sandbox, fault: str | None, value: bool | str | None, code: int
) -> None:
    if fault:
        await sandbox.workspace.panel.apply(fault, value)
    try:
        ended, output = await _run(sandbox, "status")
    finally:
        await sandbox.workspace.panel.heal()
    assert ended == code, output


@pytest.mark.usefixtures("cold")
async def test_output_json_prints_json(sandbox: Sandbox) -> None:
    import json

    _, output = await _run(sandbox, "status", "--output", "json")
    answer = json.loads(output)
    assert answer["verdict"] == "ok"
    assert {f["probe"] for f in answer["findings"]} >= {"pod", "processes", "heartbeats"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--help",), "a Slack workspace and a pretend pod"),
        (("logs", "--help"), "--grep"),
        (("sandbox", "--help"), "--no-browser"),
        (("run", "--help"), "usage: agentpod"),
        (("help", "storage"), "storage"),
    ],
)
async def test_help_is_shown_wherever_users_look_for_it(
    sandbox: Sandbox, words: tuple[str, ...], says: str
) -> None:
    code, output = await _run(sandbox, *words)
    assert code == 0
    assert says in output


async def test_a_missing_sandbox_package_is_explained(tmp_path: Path) -> None:
    """The image has bot and commands only."""
    root = Path(__file__).parents[2]
    for package in ("bot", "commands"):
        (tmp_path / package).symlink_to(root / package)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(
            "-S",
            "-c",
            "import sys; sys.path[:0] = sys.argv[1:]; from bot.__main__ import main; sys.exit(main(['sandbox']))",
        ),
        *(str(tmp_path), *(p for p in sys.path if p.endswith("site-packages"))),
        stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
    )
    _, err = await process.communicate()
    assert process.returncode == 2
    assert err.decode().startswith("agentpod: The sandbox is not part of this installation.")


@pytest.mark.usefixtures("cold")
async def test_sigterm_before_anything_has_started_ends_it(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    os.mkfifo(settings)  # a reader blocks until there is a writer
    bot = sandbox.bot(AGENTPOD_CONFIG=str(settings))
    await bot.start()
    with await asyncio.to_thread(settings.open, "w") as writing:  # returns once the bot has opened it
        assert await bot.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        assert not writing.closed
    assert "Traceback" not in bot.output()


async def test_check_shows_a_credential_plugin_s_message(sandbox: Sandbox, tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": "Never"}
    plugin |= {"args": ["-c", "echo 'no session: sign in first' >&2; exit 7"]}
    document = {
        "clusters": [{"name": "c", "cluster": {"server": sandbox.cluster.url}}],
        "users": [{"name": "u", "user": {"exec": plugin}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    code, output = await _run(sandbox, "check", env={"KUBECONFIG": str(path)})
    assert code == 1
    assert "The credential plugin sh failed with exit code 7: no session: sign in first." in " ".join(
        output.split()
    )
