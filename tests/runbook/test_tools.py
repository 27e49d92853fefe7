"""The tools for authors: a page for people, the Role of a runbook, and recorded tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from bot.__main__ import main
from bot.adapters.cel import CelExpressions
from bot.domain.core.workload import ExecResult
from bot.domain.runbook.facts.processes import Processes
from bot.errors import NotAllowed, NotFound, UsageError
from bot.runbook.context import Context
from bot.runbook.file import trial
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from bot.services.runbook.recording import record
from bot.wiring.runbook_record import lines_of
from tests.commands.fakes import World, handbook

BOOK = """
runbook: try
checks:
  pool:
    title: Pool | size
    facts:
      size: {exec: {command: [cat, /pool]}}
      policy: {kubernetes: {resource: ciliumnetworkpolicies, group: cilium.io, version: v2, name: egress}}
    expect: int(size.lines[0]) < 5
    fails: {says: "'It has ' + size.lines[0] + ' of *5*'", remedy: Wait., offer: restart, verdict: warn}
    status: true
    alert: {every: 1m, for: 2h, issue: owner/repository#12}
diagnoses:
  slow:
    title: It is slow
    facts: {log: {log: {grep: slow}}}
    causes:
      - {name: disk, proof: "log.lines[0]", says: "'The disk is slow'", remedy: Move it., offer: restart}
commands:
  gpu:
    summary: GPU memory in use
    exec: {command: [nvidia-smi, "--unit={unit}"]}
    params: {unit: {one_of: [MiB, GiB], default: MiB, about: The unit}}
"""


def book(text: str = BOOK) -> CompiledRunbook:
    made, problems = compile_runbook(read(text, "try.yaml"), CelExpressions())
    assert made is not None, problems
    return made


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "try.yaml"
    path.write_text(BOOK)
    return str(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("lnt x.yaml", "There is no tool 'lnt' for runbooks; did you mean 'lint'?"),
        ("lint", "lint needs a FILE."),
        ("record", "record needs a NAME."),
        ("lint a.yaml b.yaml", "lint takes no 'b.yaml'."),
        ("schema x", "schema takes no 'x'."),
        ("lint x.yaml --target y", "lint takes no --target."),
        ("", "What shall be done with which runbook?"),
    ],
)
def test_wrong_usage_says_what_is_wrong(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runbook", *words.split()]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "Usage: agentpod runbook lint|test|show|docs FILE" in shown


def test_docs_prints_a_page_with_checks_causes_remedies_and_commands(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runbook", "docs", file]) == 0
    page = capsys.readouterr().out
    for line in (
        "# Runbook try",
        "### Pool | size (`pool`)",
        "- Reads `size`: `cat /pool`",
        "- Otherwise: a warning, and says: It has … of \\*5\\*",
        "- Alert: critical, after 2 h of failing, checked every 1 min; issue owner/repository#12",
        "### It is slow (`diagnose slow`)",
        "| `disk` | The disk is slow | Move it. Offers `restart`. |",
        "- `unit`: one of MiB, GiB (default `MiB`). The unit",
    ):
        assert line in page.splitlines(), page


def roles(text: str) -> dict[str, set[tuple[str, str, str, str]]]:
    """Namespace → ``(group, resource, name, verb)`` of the Roles in a manifest."""
    return {
        one["metadata"]["namespace"]: {
            (group, resource, name, verb)
            for rule in one["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", [""])
            for verb in rule["verbs"]
        }
        for one in yaml.safe_load_all(text)
        if one and one["kind"] == "Role"
    }


def test_rights_prints_a_role_of_exactly_what_the_facts_need(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("targets: [{name: one, namespace: mine}]\n")
    assert main(["--config", str(config), "runbook", "rights", file]) == 0
    text = capsys.readouterr().out
    exec_, log = ("", "pods/exec", "", "create"), ("", "pods/log", "", "get")
    policy = ("cilium.io", "ciliumnetworkpolicies", "egress", "get")
    assert roles(text) == {"mine": {("", "pods", "", "list"), ("", "pods/exec", "", "get"), exec_, log, policy}}
    binding = [one for one in yaml.safe_load_all(text) if one and one["kind"] == "RoleBinding"]
    assert [one["subjects"][0]["name"] for one in binding] == ["agentpod"]


def test_rights_in_another_namespace_are_a_role_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "try.yaml"
    path.write_text(BOOK.replace("name: egress", "name: egress, namespace: other"))
    assert main(["runbook", "rights", str(path)]) == 0
    assert roles(capsys.readouterr().out)["other"] == {("cilium.io", "ciliumnetworkpolicies", "egress", "get")}


def context(made: CompiledRunbook, world: World | None = None) -> Context:
    return replace((world or World()).context(), book=made)


def with_pool(size: str) -> World:
    world = World()
    world.cluster.programs["cat"] = ExecResult(f"{size}\n", "", 0)
    return world


CHECK = BOOK.replace(
    "      policy: {kubernetes: {resource: ciliumnetworkpolicies, group: cilium.io, version: v2, name: egress}}\n",
    "",
)


def recorded(text: str) -> dict[str, Any]:
    [test] = yaml.safe_load(text)["tests"]
    return test


async def test_a_recorded_check_passes_as_a_test_of_its_runbook() -> None:
    found = await record(context(book(CHECK), with_pool("7")), "pool")
    text = "\n".join(lines_of(found))
    assert recorded(text) == {
        "check": "pool",
        "given": {"size": "7\n"},
        "then": {"verdict": "warn", "says": "It has 7 of *5*"},
    }
    assert found.whole
    again = book(f"{CHECK}{text}\n")
    assert [outcome.wrong for outcome in trial.run(again)] == [""]


async def test_a_recorded_diagnosis_passes_as_well() -> None:
    found = await record(context(handbook()), "config")
    text = "\n".join(lines_of(found))
    assert recorded(text)["then"] == {"cause": "unknown"}
    loaded = read(f"runbook: x\n{text}\n", "x.yaml")
    made = replace(handbook(), runbook=handbook().runbook.model_copy(update={"tests": (loaded.tests[0][1],)}))
    assert [outcome.wrong for outcome in trial.run(made)] == [""]


async def test_what_can_not_be_read_is_recorded_as_unreadable_and_said() -> None:
    world = with_pool("7")
    world.cluster.policies_answer = NotAllowed("The bot may not get ciliumnetworkpolicies.")
    found = await record(context(book(), world), "pool")
    assert not found.whole
    assert found.test["given"]["policy"] == "unreadable"
    assert found.test["then"]["verdict"] != "unknown" or set(found.test["then"]) == {"verdict"}
    assert found.notes == (
        "`kubectl get ciliumnetworkpolicies.cilium.io egress`: the bot may not get ciliumnetworkpolicies",
    )


async def test_what_can_not_be_read_is_no_matter_of_time() -> None:
    world = World()
    world.cluster.programs["cat"] = NotAllowed("The bot may not create pods/exec.")
    found = await record(context(book(CHECK), world), "pool")
    assert (found.test["given"], found.test["then"]) == ({"size": "unreadable"}, {"verdict": "unknown"})
    assert [note for note in found.notes if "depends on the time" in note] == []
    text = "\n".join(lines_of(found))
    assert [outcome.wrong for outcome in trial.run(book(f"{CHECK}{text}\n"))] == [""]


@pytest.mark.parametrize("name", ["text", "truncated", "exit_code", "stderr", "binary"])
def test_no_process_is_called_like_what_a_list_comes_with(name: str) -> None:
    with pytest.raises(ValidationError, match=f"no process can be called '{name}' here"):
        Processes(expect={name: "x"})


async def test_an_object_that_is_not_there_is_recorded_as_a_fact() -> None:
    world = with_pool("7")
    world.cluster.policies_answer = NotFound("There is no ciliumnetworkpolicies egress.")
    found = await record(context(book(), world), "pool")
    assert found.whole
    assert found.test["given"]["policy"] == {
        "text": "",
        "exists": "false",
        "found": "no ciliumnetworkpolicies egress",
    }


async def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'pool'"):
        await record(context(book()), "poool")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["docs"], "Usage: agentpod runbook"),
        (["docs", "nope"], "The runbook nope is wrong"),
        (["rights", "nope"], "no runbook of this name ships"),
        (["rights", "secure-agent-pod", "--target", "x"], "There is no target 'x'"),
        (["record", "pool", "--target"], "There is no target ''"),
        (["record", "nope"], "has no check and no diagnosis 'nope'"),
        (["docs", "secure-agent-pod", "more"], "Usage: agentpod runbook"),
    ],
)
def test_wrong_usage_exits_with_2_and_no_traceback(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTPOD_PUSHGATEWAY__URL", "")  # `record` looks into the pod that settings name
    assert main(["runbook", *words]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""
