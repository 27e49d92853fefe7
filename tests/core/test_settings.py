"""Settings: every source works, and every problem is reported with its origin."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from bot.__main__ import main
from bot.adapters.ledger import database
from bot.check.in_force import effective
from bot.check.offline import anchor_file, approvals, health_bridge, unknown_in_maintenance, unused_clusters
from bot.check.routes import addresses
from bot.domain.core import words
from bot.domain.rbac import roles
from bot.errors import AgentpodError, SettingsError
from bot.ports.sinks import SinkType
from bot.settings.loader import load, require
from bot.settings.model import Settings
from bot.wiring.outbox import CALLED

_NAMES = [name for name in roles.known().names if name != "none"]
ADDRESSES = {
    "anchor_file": "AGENTPOD_LEDGER__ANCHOR__FILE",
    "anchor_url": "AGENTPOD_LEDGER__ANCHOR__URL",
    "health_bridge": "AGENTPOD_BRIDGE__URL",
    "dead_mans_switch": "AGENTPOD_HEARTBEAT__DEAD_MAN_URL",
}
"""The variable with each sink's address."""
URL = "http://health-bridge.monitoring.svc:8080/webhook"
EXAMPLE = Path(__file__).parents[2] / "deploy" / "settings.example.yaml"


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "agentpod.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _problems(**sources: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(**{"environ": {}, **sources})  # type: ignore[arg-type]
    return caught.value.problems


def test_the_defaults_are_the_handbooks_values() -> None:
    target = load(environ={}).settings.targets[0]
    assert (target.namespace, target.node) == ("secure-agent-pod", "gpu-1")
    assert [p.name for p in target.containers[0].processes] == ["sshd", "supercronic", "vibe-kanban"]
    assert [(s.ip, s.port) for s in target.services] == [("192.168.55.215", 22), ("192.168.55.218", 8081)]
    limits = {h.job: (h.stale_after, h.severity) for h in target.heartbeats}
    assert {j: (d.total_seconds(), s) for j, (d, s) in limits.items() if d} == {
        "exercise-reminder": (3 * 3600, "critical"),
        "audit-digest": (26 * 3600, "warning"),
        "session-manager": (600, "critical"),
    }


def test_later_sources_win_and_each_value_remembers_its_origin(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "slack__bot_token").write_text("xoxb-from-file\n")
    path = _file(tmp_path, "slack:\n  bot_token: xoxb-from-yaml\n  api_url: https://one/api\nops:\n  port: 1\n")
    env = {"AGENTPOD_SECRETS_DIR": str(secrets), "AGENTPOD_OPS__PORT": "2", "HOME": "/x"}
    loaded = load(config=path, environ=env, flags={"kubernetes.context": "blue"})
    slack = loaded.settings.slack
    assert slack.bot_token is not None
    assert slack.bot_token.get_secret_value() == "xoxb-from-file"
    assert loaded.settings.ops.port == 2
    assert loaded.settings.kubernetes.context == "blue"
    assert loaded.origin("slack.bot_token") == f"secret file {secrets / 'slack__bot_token'}"
    assert loaded.origin("slack.api_url") == "agentpod.yaml line 3"
    assert loaded.origin("ops.port") == "environment variable AGENTPOD_OPS__PORT"
    assert loaded.origin("kubernetes.context") == "command-line flag"
    assert loaded.origin("log.level") == "default"


def test_a_setting_is_named_with_where_its_value_comes_from(tmp_path: Path) -> None:
    path = _file(tmp_path, "digest: {at: '10:30'}\npushgateway:\n  url: http://a:1\n")
    assert (
        load(config=path, environ={}).settings.named("pushgateway.url") == "pushgateway.url (agentpod.yaml line 3)"
    )
    variable = {"AGENTPOD_PUSHGATEWAY__URL": "http://b:1"}
    named = load(config=path, environ=variable).settings.named("pushgateway.url")
    assert named == "pushgateway.url (environment variable AGENTPOD_PUSHGATEWAY__URL)"
    assert load(environ={}).settings.named("pushgateway.url") == "pushgateway.url"


def test_the_fixed_variable_names_work(tmp_path: Path) -> None:
    env = {
        "AGENTPOD_CONFIG": str(_file(tmp_path, "log: {level: debug}\n")),
        "AGENTPOD_SLACK__BOT_TOKEN": "xoxb-1",
        "AGENTPOD_SLACK__APP_TOKEN": "any-shape-2",
        "AGENTPOD_SLACK__SIGNING_SECRET": "3",
        "AGENTPOD_SLACK__API_URL": "http://localhost:1/api",
        "AGENTPOD_LEDGER__URL": "postgresql+asyncpg://u@h/db",
        "AGENTPOD_PUSHGATEWAY__URL": "http://localhost:2/",
        "AGENTPOD_KUBERNETES__CONTEXT": "blue",
    }
    settings = load(environ=env).settings
    assert settings.log.level == "debug"
    assert settings.slack.api_url == "http://localhost:1/api/"
    assert settings.pushgateway.url == "http://localhost:2"
    assert settings.ledger.url.startswith("postgresql")
    assert settings.kubernetes.context == "blue"


def test_lists_can_come_from_the_environment_as_json() -> None:
    rules = [{"role": "viewer", "channels": ["C1"]}]
    settings = load(environ={"AGENTPOD_ACCESS__RULES": json.dumps(rules)}).settings
    assert settings.access.rules[0].role is roles.VIEWER


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("slak:\n  mode: http\n", ("slak is not a setting", "line 1", "Did you mean 'slack'?")),
        ("sl\u200back: {}\n", ("sl<U+200B>ack is not a setting", "line 1", "Did you mean 'slack'?")),
        ('"sl\\u202eack": {}\n', ("sl<U+202E>ack is not a setting", "line 1", "Did you mean 'slack'?")),
        ("alerts:\n  poll\u00a0: 1m\n", ("alerts.poll<U+00A0> is not a setting", "Did you mean 'poll'?")),
        ("ops: {port: 022}\n", ("a number that begins with 0 is read as octal", "(line 1)")),
        ("ops: {port: yes}\n", ("ops.port", "this is yes or no, not a number")),
        ("approvals: {needed: yes}\n", ("approvals.needed", "this is yes or no, not a number")),
        ("alerts: {flaps: on}\n", ("alerts.flaps", "this is yes or no, not a number")),
        ("targets: [{services: [{name: a, ip: 999.1.1.1, port: 1}]}]\n", ("'999.1.1.1' is no IP address or",)),
        ("targets: [{services: [{name: a, ip: a..b, port: 1}]}]\n", ("'a..b' is no IP address or host name",)),
        ("targets: [{services: [{name: a, ip: b, port: yes}]}]\n", ("this is yes or no, not a number",)),
        (
            "targets: [{services: [{name: a, ip: b, port: 1, connect: '999.1.1.1:22'}]}]\n",
            ("'999.1.1.1' is no IP address or host name",),
        ),
        (
            "targets: [{heartbeats: [{job: a, stale_after: 1h, metric: x y}]}]\n",
            ("heartbeats[a].metric", "this is not a valid metric: write letters, digits, _ or :"),
        ),
        (
            "targets: [{containers: [{name: a, home: home/claude}]}]\n",
            ("containers[a].home", "this is not a valid absolute path: begin it with /"),
        ),
        ("slack:\n  bot_tokn: x\n", ("slack.bot_tokn", "line 2", "'bot_token'")),
        ("targets:\n- nodee: x\n", ("targets[#1].nodee", "line 2", "'node'")),
        ("slack:\n  mode: sockets\n", ("slack.mode", "line 2", "it takes socket or http. Did you mean socket?")),
        ("probes: {timeout: soon}\n", ("probes.timeout", "not a duration")),
        ("probes: {timeout: -3}\n", ("probes.timeout", "not a usable duration")),
        ("probes: {timeout: 1h}\n", ("probes.timeout", "takes 0 s to 5 min, not 1 h")),
        ("alerts:\n  keep_firing: 900d\n", ("alerts.keep_firing", "line 2", "takes 0 s to 1 d, not 900 d")),
        (
            "alerts: {maintenance: [{name: a, start: 2026-12-01T08:00:00Z, lasts: 900d}]}\n",
            ("alerts.maintenance[a].lasts", "takes 1 min to 30 d, not 900 d"),
        ),
        (
            "targets: [{heartbeats: [{job: a, stale_after: 900d}]}]\n",
            ("job 'a'", "stale_after takes at most 400d"),
        ),
        ("targets: [{heartbeats: [{job: a}]}]\n", ("needs stale_after or schedule",)),
        ("targets: [{heartbeats: [{job: a, schedule: '61 * * * *'}]}]\n", ("not a crontab schedule",)),
        ("targets: [{heartbeats: [{job: a, schedule: '0 9 * * *', timezone: Mars/One}]}]\n", ("no time zone",)),
        (
            "targets: [{heartbeats: [{job: a-b, stale_after: 1h}, {job: a_b, stale_after: 1h}]}]\n",
            ("heartbeat job 'a-b' is listed twice: - and _ are the same",),
        ),
        ("targets: [{containers: [{processes: [{name: a, match: '['}]}]}]\n", ("not a regular expression",)),
        ("digest: {at: '25:99'}\n", ("digest.at", "not a valid time of day: write it as 09:00")),
        ("slack: {command: Agentpod}\n", ("slack.command", "a slash and then small letters")),
        ("slack: {http: {path: events}}\n", ("slack.http.path", "begin it with /")),
        ("targets: [{name: a/b}]\n", ("targets[a/b].name", "begin with a letter or a digit")),
        ("targets: [{namespace: Not_OK}]\n", ("targets[#1].namespace", "small letters")),
        ("targets: [{issue: '12'}]\n", ("targets[#1].issue", "owner/repository#12")),
        ("targets: [{services: [{name: a, ip: 192.0.2.1, port: 1, path: b}]}]\n", ("path", "begin it with /")),
        ("targets: [{services: [{name: a, ip: 192.0.2.1, port: 1, connect: b}]}]\n", ("connect", "host:port")),
        ("targets: [{services: [{name: a, ip: 192.0.2.1}]}]\n", ("services[a]", "check: tcp needs a port")),
        (
            "targets: [{services: [{name: a, ip: 192.0.2.1, port: 1, protocol: UDP, check: http}]}]\n",
            ("check: http connects by TCP: with protocol: UDP, leave check out",),
        ),
        ("targets: [{services: [{name: a, ip: 192.0.2.1, protocol: UDP}]}]\n", ("protocol needs the port",)),
        (
            "targets: [{services: [{name: a, ip: 192.0.2.1, port: 1, protocol: SCTP}]}]\n",
            ("protocol", "TCP", "UDP"),
        ),
        (
            "targets: [{services: [{name: a, ip: 192.0.2.1, check: address, path: /x}]}]\n",
            ("path has no effect: with check: address nothing is connected to",),
        ),
        (
            "alerts: {maintenance: [{name: a, start: tomorrow, lasts: 1h}]}\n",
            ("alerts.maintenance[a].start", "such as 2026-12-01T08:00:00Z"),
        ),
        ("targets: [{storage: {warn_percent: 95}}]\n", ("warn_percent is above fail_percent",)),
        (
            "targets:\n- name: a\n- name: a\n",
            ("targets[#2].name (agentpod.yaml line 3): target 'a' is listed twice",),
        ),
        (
            "targets:\n- name: a\n  cluster: west\n",
            (
                "targets[a].cluster (agentpod.yaml line 3): target 'a' is in the cluster 'west', which ",
                "kubernetes.clusters does not name; known there: none",
            ),
        ),
        (
            "kubernetes: {clusters: [{name: w, kubeconfig: a}, {name: w, kubeconfig: b}]}\n",
            ("cluster 'w' is listed twice",),
        ),
        ("kubernetes: {clusters: west}\n", ("clusters, each with name and kubeconfig",)),
        ("kubernetes: {clusters: {west: /kc}}\n", ("not a list: write a list of clusters, each with name",)),
        ("kubernetes: {clusters: [{name: w}]}\n", ("kubernetes.clusters[w].kubeconfig",)),
        ("access: {rules: [{role: viewer}]}\n", ("names nobody",)),
        (
            "access: {rules: [{role: boss, users: [U1]}]}\n",
            ("access.rules[#1].role", f"it takes {words.either(_NAMES)}."),
        ),
        ("access: {rules: [{role: auditer, users: [U1]}]}\n", ("or auditor. Did you mean auditor?",)),
        ("access: {rules: [{role: Auditor, users: [U1]}]}\n", ("or auditor. Did you mean auditor?",)),
        ("access: {rules: [{role: 3, users: [U1]}]}\n", ("access.rules[#1].role", "or auditor.")),
        ("access: {rules: [{role: viewer, users: [maya]}]}\n", ("begin with U or W", "maya")),
        (
            "ledger: {url: 'sqlite+aiosqlite:///:memory:'}\n",
            ("ledger.url", "needs a file: write sqlite+aiosqlite:///PATH"),
        ),
        (
            "approvals:\n#  needed: 2\n",
            ("approvals (agentpod.yaml line 1): it takes settings of its own below it",),
        ),
        ("slack: [1]\n", ("slack", "line 1")),
        ("slack: {a: b\n", ("not valid YAML", "line 2")),
        ("- 1\n", ("must hold names and values",)),
        ("ledger: {url: 'mysql://u:secret-pass@h'}\n", ("ledger.url", "postgresql+asyncpg")),
        (
            "ledger: {url: 'postgresql+asyncpg://u:pa@secret-pass@h/d'}\n",
            ("ledger.url", "in the user and the password, write @ as %40, : as %3A and / as %2F"),
        ),
        (
            "ledger: {url: 'postgresql+asyncpg://u:pa/secret-pass@h/d'}\n",
            ("ledger.url", "in the user and the password, write @ as %40, : as %3A and / as %2F"),
        ),
        (
            "ledger: {url: 'postgresql+asyncpg://u:secret-pass@h:abc/d'}\n",
            ("ledger.url", "the port after the host is a number from 1 to 65535"),
        ),
        (
            "ledger: {url: 'postgresql+asyncpg://u:secret-pass@::1/d'}\n",
            ("ledger.url", "an IPv6 address takes brackets: [::1]"),
        ),
        (
            "ledger: {url: 'postgresql+asyncpg://h:5432/d?application_name=secret-pass@b'}\n",
            ("ledger.url", "after the ?, write @ as %40."),
        ),
        (
            "ledger: {url: 'postgresql+asyncpg://u:pa/secret?pass@h/d'}\n",
            ("ledger.url", "in the user and the password, write @ as %40, : as %3A and / as %2F"),
        ),
        (
            "pushgateway: {url: 'http://h:0/'}\n",
            ("pushgateway.url", "its port has to be a number from 1 to 65535"),
        ),
        (
            "pushgateway: {url: 'http://u:secret-pass@h:99999/'}\n",
            ("pushgateway.url", "its port has to be a number from 1 to 65535"),
        ),
        ("pushgateway: {url: 'http://h h/'}\n", ("pushgateway.url", "write it as https://HOST/PATH")),
        ("pushgateway: {url: 'http://'}\n", ("pushgateway.url", "write it as https://HOST/PATH")),
        (
            "heartbeat: {dead_man_url: 'https://[::1/secret-pass'}\n",
            ("heartbeat.dead_man_url", "https://HOST/PATH"),
        ),
    ],
)
def test_a_wrong_file_is_named_with_line_and_remedy(tmp_path: Path, text: str, says: tuple[str, ...]) -> None:
    shown = "\n".join(_problems(config=_file(tmp_path, text)))
    for part in says:
        assert part in shown
    assert "secret-pass" not in shown


@pytest.mark.parametrize(
    "rest", ["u:p@h/d?application_name=a@b", "u@h:5432/d", "[::1]:5432/d", "u:p?w@h/d", "h/d?x=/y"]
)
def test_an_address_that_is_split_as_meant_is_taken(tmp_path: Path, rest: str) -> None:
    path = _file(tmp_path, f"ledger: {{url: 'postgresql+asyncpg://{rest}'}}\n")
    assert load(config=path, environ={}).settings.ledger.url.endswith(rest)


@pytest.mark.parametrize("rest", ["u:pa@secret-pass@h/d", "u:pa@secret-pass/x@h/d", "u:pa/secret-pass@h/d"])
def test_a_databases_name_holds_nothing_of_a_password(rest: str) -> None:
    assert database.name(f"postgresql+asyncpg://{rest}") == "h/d"


@pytest.mark.parametrize(("text", "at"), [("10:30", "10:30"), ("9:05", "09:05"), ("09:00", "09:00"), ("''", "")])
def test_the_digests_time_needs_no_quotes(tmp_path: Path, text: str, at: str) -> None:
    path = _file(tmp_path, f"digest: {{at: {text}}}\n")
    assert load(config=path, environ={}).settings.digest.at == at


@pytest.mark.parametrize(
    "text",
    [
        "targets: [{heartbeats: [{job: a}]}]\n",
        "targets: [{containers: [{processes: [{name: a, match: '['}]}]}]\n",
        "targets: [{nodee: x}]\n",
    ],
)
def test_an_error_inside_a_list_is_not_reported_as_its_length(tmp_path: Path, text: str) -> None:
    assert len(_problems(config=_file(tmp_path, text))) == 1
    assert "it needs at least one" in _problems(config=_file(tmp_path, "targets: []\n"))[0]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    path = _file(tmp_path, "slak: 1\nprobes: {timeout: soon}\n")
    problems = _problems(config=path, environ={"AGENTPOD_SLACK__BOT_TOKN": "x"})
    assert len(problems) == 3


def test_a_missing_file_is_refused_and_says_who_named_it(tmp_path: Path) -> None:
    absent = tmp_path / "none.yaml"
    assert "named by --config" in _problems(config=absent)[0]
    assert "named by AGENTPOD_CONFIG" in _problems(environ={"AGENTPOD_CONFIG": str(absent)})[0]


NO_SETTINGS = "No settings: give --config FILE or set AGENTPOD_CONFIG."
BY_DEFAULT = (
    "status",
    "dashboard",
    "heartbeats",
    "approvals",
    "restart --dry-run",
    "audit export",
    "check",
    "run",
    "runbook record disk",
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without a setting."""
    for name in [name for name in os.environ if name.upper().startswith("AGENTPOD_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("line", [*BY_DEFAULT, "--context somewhere status"])
def test_without_settings_no_command_goes_to_the_handbooks_addresses(
    bare: pytest.MonkeyPatch, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.setenv("AGENTPOD_CONFIG", "")
    assert main(line.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert " ".join(shown.err.split()).startswith(
        f"agentpod: {NO_SETTINGS} deploy/settings.example.yaml is a file"
    )


@pytest.mark.parametrize("line", ["help", "help status", "whoami", "version"])
def test_what_is_about_the_bot_itself_needs_no_settings(
    bare: pytest.MonkeyPatch, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 0
    assert NO_SETTINGS not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["AGENTPOD_PUSHGATEWAY__URL", "AGENTPOD_TARGETS", "agentpod_targets"])
def test_one_variable_is_enough_as_in_a_cluster(name: str) -> None:
    require(environ={name: ""})
    with pytest.raises(AgentpodError, match="No settings"):
        require(environ={"KUBECONFIG": "/a", "AGENTPOD_CONFIG": "", "AGENTPOD_SECRETS_DIR": ""})


def test_an_unknown_variable_is_refused_with_the_near_one() -> None:
    [problem] = _problems(environ={"AGENTPOD_SLACK__BOT_TOKN": "x"})
    assert "Did you mean AGENTPOD_SLACK__BOT_TOKEN?" in problem


def test_an_unknown_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "slack__bot_tokn").write_text("x")
    [problem] = _problems(environ={"AGENTPOD_SECRETS_DIR": str(tmp_path)})
    assert "slack__bot_token" in problem


@pytest.mark.parametrize("value", ["", "   ", "xoxb-1 xoxb-2", "xoxb-1\u200b"])
def test_a_badly_pasted_token_is_refused_without_showing_it(value: str) -> None:
    [problem] = _problems(environ={"AGENTPOD_SLACK__BOT_TOKEN": value})
    assert "slack.bot_token" in problem
    assert "xoxb-1" not in problem


def test_the_effective_settings_never_show_a_secret() -> None:
    loaded = load(environ={"AGENTPOD_SLACK__BOT_TOKEN": "xoxb-very-secret"})
    rows = {one.name: (one.value, one.origin) for one in effective(loaded)}
    assert rows["slack.bot_token"] == ("set (16 characters)", "environment variable AGENTPOD_SLACK__BOT_TOKEN")
    assert rows["targets.0.heartbeats.1.stale_after"] == ("1 d 2 h", "default")
    assert "very-secret" not in repr(rows) + repr(loaded.settings)


def test_the_example_settings_are_valid() -> None:
    assert isinstance(load(config=EXAMPLE, environ={}).settings, Settings)


def test_maintenance_of_an_unknown_job_is_noted_with_a_similar_name() -> None:
    given = {
        "targets": [{"name": "desk"}, {"name": "web", "heartbeats": [{"job": "backup", "stale_after": "1h"}]}],
        "alerts": {
            "maintenance": [
                {"name": "all", "schedule": "0 2 * * *", "lasts": "1h"},
                {"name": "one", "schedule": "0 2 * * *", "lasts": "1h", "jobs": ["audit_digest", "backup"]},
                {"name": "two", "schedule": "0 2 * * *", "lasts": "1h", "targets": ["dsk"], "jobs": ["backup"]},
                {
                    "name": "three",
                    "schedule": "0 2 * * *",
                    "lasts": "1h",
                    "targets": ["web"],
                    "jobs": ["audit-digest"],
                },
                {"name": "four", "schedule": "0 2 * * *", "lasts": "1h", "jobs": ["audit-dijest"]},
            ]
        },
    }
    found = list(unknown_in_maintenance(Settings.model_validate(given)))
    assert [(check.ok, check.detail.partition(",")[0], check.remedy) for check in found] == [
        (None, "two names the target 'dsk'", "Did you mean 'desk'?"),
        (None, "three names the job 'audit-digest'", "Known there: backup."),
        (None, "four names the job 'audit-dijest'", "Did you mean 'audit-digest'?"),
    ]


@pytest.mark.parametrize(
    ("bridge", "issue", "says"),
    [
        (
            {},
            "agent-ops#18",
            ["agent-ops#18 is named as issue, and bridge.url is empty: nothing is reported there."],
        ),
        (
            {"url": URL},
            "",
            ["bridge.url is set, and neither a target nor a job names an issue: nothing is reported there."],
        ),
        (
            {"url": URL},
            "frank#1",
            ["bridge.token is not set: the health-bridge refuses what comes without its token."],
        ),
        ({"url": URL, "token": "t"}, "frank#1", []),
        ({}, "", []),
    ],
)
def test_a_health_bridge_without_issues_is_noted(bridge: dict[str, str], issue: str, says: list[str]) -> None:
    job = {"job": "a", "stale_after": "1h", "issue": issue}
    settings = Settings.model_validate({"bridge": bridge, "targets": [{"heartbeats": [job]}]})
    assert [check.detail for check in health_bridge(settings)] == says


def test_every_secret_in_the_settings_is_redacted() -> None:
    given = {
        "slack": {"bot_token": "xoxb-1", "app_token": "xapp-1", "signing_secret": "signing-1"},
        "pushgateway": {"password": "gateway-1"},
        "bridge": {"url": "http://b/webhook", "token": "bridge-1"},
        "heartbeat": {"dead_man_url": "https://hc.example/uuid-1"},
        "ledger": {"url": "postgresql+asyncpg://u:database-1@h/d", "anchor": {"token": "anchor-1"}},
    }
    found = Settings.model_validate(given).secret_values()
    assert sorted(found) == sorted(
        [
            "xoxb-1",
            "xapp-1",
            "signing-1",
            "gateway-1",
            "bridge-1",
            "https://hc.example/uuid-1",
            "database-1",
            "anchor-1",
        ]
    )
    kinds = [f for m in _models(Settings) for f in m.model_fields.values() if "SecretStr" in str(f.annotation)]
    assert len(kinds) == len(found) - 1, "a new secret has to be in this test, too"


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [f.annotation for f in model.model_fields.values()]
    return [model, *(m for i in inner if isinstance(i, type) and issubclass(i, BaseModel) for m in _models(i))]


@pytest.mark.parametrize(
    ("variables", "channels"),
    [
        ({}, {}),
        ({"SLACK__CHANNEL": "C0000001"}, {"C0000001": "slack.channel"}),
        (
            {"SLACK__CHANNEL": "C0000001", "DIGEST__CHANNEL": "C0000002"},
            {"C0000001": "slack.channel", "C0000002": "digest.channel"},
        ),
        (
            {"SLACK__CHANNEL": "C0000001", "DIGEST__CHANNEL": "C0000001"},
            {"C0000001": "slack.channel and digest.channel"},
        ),
        ({"DIGEST__CHANNEL": "C0000002", "DIGEST__AT": ""}, {}),
        ({"SLACK__CHANNEL": ""}, {}),
        ({"SLACK__CHANNEL": "C0000001", "DIGEST__CHANNEL": ""}, {"C0000001": "slack.channel"}),
    ],
)
def test_each_channel_is_listed_once_with_its_settings(
    variables: dict[str, str], channels: dict[str, str]
) -> None:
    env = {f"AGENTPOD_{name}": value for name, value in variables.items()}
    assert load(environ=env).settings.channels() == channels


@pytest.mark.parametrize("kind", CALLED, ids=lambda kind: kind.name)
def test_an_empty_address_switches_a_sink_off(kind: SinkType[Any]) -> None:
    for address in ("https://sink.example" if kind.on_network else "/anchors/a.jsonl", ""):
        environ = {"AGENTPOD_SLACK__CHANNEL": "C0123456789", ADDRESSES[kind.name]: address}
        assert kind.address(load(environ=environ).settings) == address


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"FILE": "anchors.jsonl", "SLACK": "C0000001"}, "is not a file's absolute path"),
        ({"FILE": "/anchors/", "SLACK": "C0000001"}, "is not a file's absolute path"),
        ({"URL": "ftp://u:secret@h/"}, "'ftp://u:…@h/' is not a web address"),
        ({"URL": "https://h/"}, "none is posted. Set slack.channel or digest.channel"),
        ({"FILE": "/a.jsonl"}, "none is posted. Set slack.channel or digest.channel"),
        ({"FILE": "/a.jsonl", "SLACK": "C0000001", "AT": ""}, "none is posted. Set digest.at"),
    ],
)
def test_a_place_that_would_get_no_anchor_is_refused(settings: dict[str, str], says: str) -> None:
    place = {"FILE": "LEDGER__ANCHOR__FILE", "URL": "LEDGER__ANCHOR__URL"}
    names = {**place, "SLACK": "SLACK__CHANNEL", "AT": "DIGEST__AT"}
    [problem] = _problems(environ={f"AGENTPOD_{names[name]}": value for name, value in settings.items()})
    assert f"AGENTPOD_{next(place[name] for name in settings if name in place)}" in problem
    assert says in problem


@pytest.mark.parametrize(
    "address", ["u:hunter2@h", "u:a@hunter2@h", "http//u:hunter2@h", "hunter2@h", "u:\nhunter2@h"]
)
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("PUSHGATEWAY__URL", "{}"),
        ("BRIDGE__URL", "{}"),
        ("SLACK__API_URL", "{}"),
        ("REGISTRY__ADDRESSES", '{{"ghcr.io": "{}"}}'),
        ("LEDGER__URL", "{}"),
        ("LEDGER__URL", "hunter2://{}"),
    ],
)
def test_an_address_without_its_scheme_is_refused_without_its_password(
    name: str, given: str, address: str
) -> None:
    [problem] = _problems(environ={f"AGENTPOD_{name}": given.format(address.replace("\n", r"\n"))})
    assert "hunter2" not in problem


@pytest.mark.parametrize("name", ["PUSHGATEWAY__URL", "BRIDGE__URL", "LEDGER__ANCHOR__URL"])
def test_a_wrong_address_is_shown_without_its_password(name: str) -> None:
    [problem] = _problems(
        environ={f"AGENTPOD_{name}": "ftp://u:hunter2@h/", "AGENTPOD_SLACK__CHANNEL": "C0000001"}
    )
    assert "'ftp://u:…@h/' is not a web address" in problem
    assert "hunter2" not in problem


def test_the_anchor_file_has_a_line_in_the_check_and_no_route(tmp_path: Path) -> None:
    def checked(path: Path) -> tuple[bool | None, str]:
        given = {"slack": {"channel": "C0000001"}, "ledger": {"anchor": {"file": str(path)}}}
        settings = Settings.model_validate(given)
        assert not any(str(path) in url for _, url in addresses(settings))
        [check] = anchor_file(settings)
        return check.ok, check.detail

    path = tmp_path / "anchors.jsonl"
    assert checked(path) == (True, f"{path}: will be made by the next daily digest")
    assert not path.exists()
    path.touch()
    assert checked(path) == (True, str(path))
    assert checked(tmp_path / "gone" / "a")[0] is False
    assert checked(path / "a")[0] is False, "its folder is a file"
    assert checked(tmp_path)[0] is False, "a folder"
    assert list(anchor_file(Settings())) == []


@pytest.mark.parametrize(
    ("pod", "problem"),
    [
        ("containers: [{name: k, user: 7}]", "containers[k].user (runbook my.yaml line 2): it takes text."),
        ("containers: [{name: k, home: [a]}]", "containers[k].home (runbook my.yaml line 2): it takes text."),
        ("remedies: {process: 3}", "remedies.process (runbook my.yaml line 2): it takes text."),
        (
            "containers: [{name: k, processes: [{name: a}]}]",
            "containers[k].processes[a].match (runbook my.yaml line 2): it is missing.",
        ),
        (
            "containers: [{name: k, processes: x}]",
            "containers[k].processes (runbook my.yaml line 2): it takes a list.",
        ),
    ],
)
def test_problems_of_a_runbooks_pod_are_in_the_words_of_runbook_files(
    tmp_path: Path, pod: str, problem: str
) -> None:
    (tmp_path / "my.yaml").write_text(f"runbook: my\npod: {{{pod}}}\n")
    (tmp_path / "settings.yaml").write_text("targets: [{name: a, runbook: [my.yaml]}]\n")
    with pytest.raises(SettingsError) as found:
        load(config=tmp_path / "settings.yaml", environ={})
    assert found.value.problems == (f"targets[a].{problem}",)


@pytest.mark.parametrize("schema", ["settings", "runbook"])
def test_no_pattern_repeats_a_group_with_all_unicode_letters(schema: str) -> None:
    """pydantic's regular expressions are automata: one for ``\\w{0,62}`` takes 6 MiB as long as the bot runs."""
    text = Path(f"docs/schemas/{schema}.schema.json").read_text("utf-8")
    patterns = [json.loads(found) for found in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', text)]
    assert patterns
    counted = re.compile(r"\\[wWDS]([^]]*\])?(\{|[^()]*\)[?*+{])")
    assert [p for p in patterns if counted.search(p)] == []


def test_the_effective_settings_use_the_file_s_names(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("alerts: {for: 2m}\n", encoding="utf-8")
    rows = {one.name: (one.value, one.origin) for one in effective(load(config=file, environ={}))}
    assert rows["alerts.for"] == ("2 min", "settings.yaml line 1")
    assert "alerts.for_" not in rows


def test_the_effective_settings_are_written_as_in_yaml() -> None:
    roles_ = {"quiet": ["viewer", "request"]}
    loaded = load(environ={"AGENTPOD_ACCESS__ROLES": json.dumps(roles_)})
    rows = {one.name: one.value for one in effective(loaded)}
    assert rows["access.roles"] == "{quiet: [viewer, request]}"


def test_a_person_who_may_not_break_glass_is_reported() -> None:
    rules = [{"role": "auditor", "users": ["U01"]}, {"role": "approver", "users": ["U02", "U03"]}]
    settings = Settings.model_validate({"access": {"rules": rules}, "approvals": {"break_glass": ["U01"]}})
    [found] = approvals(settings)
    assert (found.title, found.ok) == ("Break-glass", None)
    assert found.detail == "U01 is in approvals.break_glass without the role viewer: break-glass is refused."
    assert found.remedy == "Add an access rule such as {role: viewer, users: [U01]}."


def test_check_notes_a_cluster_that_no_target_is_in() -> None:
    clusters = [{"name": name, "kubeconfig": f"/{name}"} for name in ("east", "west")]
    given = {"kubernetes": {"clusters": clusters}, "targets": [{"name": "a", "cluster": "west"}]}
    [found] = unused_clusters(Settings.model_validate(given))
    assert (found.title, found.ok) == ("Kubernetes east", None)
    assert "no target is in it" in found.detail
