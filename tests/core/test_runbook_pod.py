"""What a runbook says of its pod, under what the settings say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.core.target import CrontabSpec, Remedies, Target
from bot.errors import SettingsError
from bot.runbook.file import loader
from bot.settings.loader import Loaded, load
from bot.settings.runbook_pod import SHIPPED
from bot.wiring.runbook_tools import compiled

FILE = """\
runbook: mine
pod:
  containers:
    - {name: web, user: uid=101(nginx), processes: [nginx]}
    - {name: sidecar, processes: [reload]}
  remedies:
    process: Read nginx's error log.
checks:
  up:
    title: Up
    exec: {container: web, command: [nginx, -t]}
    expect: exit_code == 0
"""


def given(folder: Path, settings: str, **runbooks: str) -> Loaded:
    for name, text in runbooks.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    file = folder / "settings.yaml"
    file.write_text(settings, encoding="utf-8")
    return load(config=file, environ={})


def expected(target: Target) -> dict[str, list[str]]:
    return {one.name: [process.name for process in one.processes] for one in target.containers}


def test_without_settings_the_pod_is_as_the_shipped_runbook_says() -> None:
    found = load(environ={})
    [target] = found.settings.targets
    assert expected(target) == {"kali": ["sshd", "supercronic", "vibe-kanban"]}
    assert target.containers[0].user == "uid=1000(claude) gid=1000(claude)"
    remedy = target.remedies.process
    assert remedy.after(None).startswith("The container restarts by itself within a minute after")
    assert remedy.after(timedelta(seconds=60)) == remedy.after(None)
    assert remedy.after(None).endswith(" ends. If it does not, ask for a restart.")
    assert remedy.after(timedelta(seconds=61)) == "Ask for a restart."
    assert found.origin("targets.0.containers.0.processes").startswith("runbook secure-agent-pod line ")


def test_a_pod_without_a_runbook_gets_nothing_of_the_handbook(tmp_path: Path) -> None:
    [target] = given(tmp_path, "targets: [{runbook: []}]").settings.targets
    assert expected(target) == {"kali": []}
    assert target.remedies == Remedies()
    assert "ask for a restart" not in str(target.remedies)


def test_without_a_crontab_in_settings_and_runbook_there_is_none(tmp_path: Path) -> None:
    [target] = given(tmp_path, "targets: [{runbook: [mine.yaml]}]", mine=FILE).settings.targets
    assert target.crontab is None
    [target] = load(environ={}).settings.targets
    assert target.crontab == CrontabSpec(file="~/.crontab", scripts="/opt/scripts")
    assert target.remedies.crontab.startswith("If the file was deleted, create it again in the pod")


@pytest.mark.parametrize(
    ("settings", "crontab"),
    [
        ("", CrontabSpec(file="/etc/tab", timezone="Europe/Berlin")),
        ("crontab: {timezone: UTC}", CrontabSpec(file="/etc/tab")),
        ("crontab: {}", CrontabSpec(file="/etc/tab", timezone="Europe/Berlin")),
        ("crontab: null", None),
    ],
)
def test_the_crontab_is_as_the_runbook_says_where_the_settings_say_nothing(
    tmp_path: Path, settings: str, crontab: CrontabSpec | None
) -> None:
    mine = "runbook: mine\npod: {crontab: {file: /etc/tab, timezone: Europe/Berlin}}\n"
    over = "runbook: over\nextends: mine.yaml\npod: {crontab: {scripts: /srv}}\n"
    found = given(tmp_path, f"targets:\n- runbook: [mine.yaml]\n  {settings}\n", mine=mine, over=over)
    assert found.settings.targets[0].crontab == crontab
    [target] = given(tmp_path, "targets: [{runbook: [over.yaml]}]").settings.targets
    assert target.crontab == CrontabSpec(file="/etc/tab", timezone="Europe/Berlin", scripts="/srv")
    assert compiled(str(tmp_path / "over.yaml")).runbook.pod.crontab == target.crontab


def test_a_runbook_of_one_s_own_replaces_the_handbook_s_expectations(tmp_path: Path) -> None:
    [target] = given(tmp_path, "targets: [{runbook: [mine.yaml]}]", mine=FILE).settings.targets
    assert expected(target) == {"web": ["nginx"], "sidecar": ["reload"]}
    assert target.remedies == Remedies(process="Read nginx's error log.")


def test_the_settings_come_first_and_take_the_rest_from_the_runbook(tmp_path: Path) -> None:
    settings = """\
targets:
  - runbook: [mine.yaml]
    containers: [{name: web, processes: [nginx, php-fpm]}, {name: other}]
    remedies: {ssh: Ask Maya.}
"""
    found = given(tmp_path, settings, mine=FILE)
    [target] = found.settings.targets
    assert expected(target) == {"web": ["nginx", "php-fpm"], "other": []}
    assert [one.user for one in target.containers] == ["uid=101(nginx)", None]
    assert (target.remedies.ssh, target.remedies.process.after(None)) == ("Ask Maya.", "Read nginx's error log.")
    assert found.origin("targets.0.containers.0.user") == "runbook mine.yaml line 4"
    assert found.origin("targets.0.containers.0.processes") == "settings.yaml line 3"


@pytest.mark.parametrize("extends", ["base.yaml", "[base.yaml]"])
def test_a_runbook_takes_what_it_leaves_out_from_those_it_extends(tmp_path: Path, extends: str) -> None:
    over = f"""\
runbook: over
extends: {extends}
pod:
  containers: [{{name: web, processes: [caddy]}}]
  remedies: {{crash: Read Caddy's log.}}
"""
    [target] = given(tmp_path, "targets: [{runbook: [over.yaml]}]", base=FILE, over=over).settings.targets
    assert expected(target) == {"web": ["caddy"], "sidecar": ["reload"]}
    assert target.containers[0].user == "uid=101(nginx)"
    assert target.remedies == Remedies(process="Read nginx's error log.", crash="Read Caddy's log.")
    pod = compiled(str(tmp_path / "over.yaml")).runbook.pod
    assert (pod.containers, pod.remedies) == (target.containers, target.remedies), "lint and show see the same"


def test_of_two_runbooks_the_later_one_comes_first(tmp_path: Path) -> None:
    mine = "runbook: mine\npod: {remedies: {ssh: Ask Maya.}}\n"
    settings = "targets: [{runbook: [secure-agent-pod, mine.yaml]}]"
    [target] = given(tmp_path, settings, mine=mine).settings.targets
    assert target.remedies.ssh == "Ask Maya."
    assert "ask for a restart" in target.remedies.process.after(None)
    assert expected(target) == {"kali": ["sshd", "supercronic", "vibe-kanban"]}


def test_a_file_that_uses_anchors_is_read_whole(tmp_path: Path) -> None:
    mine = """\
runbook: mine
checks:
  up:
    title: Up
    exec: &where {container: web, command: [nginx, -t]}
    expect: exit_code == 0
pod:
  containers: [{name: web, processes: &main [nginx]}, {name: b, processes: *main}]
"""
    [target] = given(tmp_path, "targets: [{runbook: [mine.yaml]}]", mine=mine).settings.targets
    assert expected(target) == {"web": ["nginx"], "b": ["nginx"]}


@pytest.mark.parametrize(
    ("pod", "line", "says"),
    [
        ("pod: {remedy: {}}", 2, "there is no setting 'remedy'; did you mean 'remedies'?"),
        ("pod:\n  remedies: {proces: text}", 3, "there is no setting 'proces'; did you mean 'process'?"),
        ("pod:\n  containers: [{name: a, processes: [{name: a, match: '('}]}]", 3, "not a regular expression"),
        ("pod:\n  containers: [{name: a}, {name: a}]", 2, "container 'a' is listed twice"),
        ("pod: [1]", 2, "it takes settings of its own below it"),
        ("pod:\n  remedies: {process: ''}", 3, "it is empty"),
        ("pod:\n  remedies: {process: {then: Restart it., within: 1}}", 3, "has no unit"),
        ("pod:\n  remedies: {process: {then: Restart it., in: 1m}}", 3, "there is no setting 'in'"),
    ],
)
def test_what_is_wrong_with_the_section_is_named_with_its_line(
    tmp_path: Path, pod: str, line: int, says: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"runbook: mine\n{pod}\n", encoding="utf-8")
    found = loader.load(str(file)).problems
    assert [(one.line, says in one.message) for one in found] == [(line, True)], found


@pytest.mark.parametrize(
    "pod",
    [
        "pod: {remedies: {proces: text}}",
        "pod: {containers: [{name: a, processes: [{name: a, match: '('}]}]}",
        "pod: {containers: [{name: a, tail: 1}]}",
        "pod: {containers: 5, remedies: 7}",
        "pod: {containers: [5, {name: 7}], remedies: [a]}",
        "pod: [1",
    ],
)
def test_a_wrong_section_never_starts(tmp_path: Path, pod: str) -> None:
    from bot.wiring.books import Books

    with pytest.raises(SettingsError) as wrong:
        Books(
            given(tmp_path, "targets: [{runbook: [mine.yaml]}]", mine=f"runbook: mine\n{pod}\n").settings.targets
        )
    assert "mine.yaml" in str(wrong.value.problems)


def test_runbooks_that_extend_each_other_end(tmp_path: Path) -> None:
    one = "runbook: a\nextends: [b.yaml]\npod: {remedies: {ssh: A.}}\n"
    other = "runbook: b\nextends: [a.yaml]\n"
    settings = given(tmp_path, "targets: [{runbook: [a.yaml]}]", a=one, b=other).settings
    assert settings.targets[0].remedies.ssh == "A."


def test_shipped_files_are_in_one_package() -> None:
    assert {"secure-agent-pod"} <= set(loader.shipped_names())
    assert SHIPPED == "bot.runbook.shipped"
