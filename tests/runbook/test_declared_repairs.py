"""Repairs, offers and impacts in a runbook file: what is refused at start, and with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.domain.approvals.actions.declared_repair import DECLARED_REPAIR
from bot.domain.core.target import Target
from bot.errors import SettingsError
from bot.runbook.file.page import runbook_page
from bot.runbook.grammar import parse
from bot.services.runbook import declared_repair
from bot.wiring.books import Books
from bot.wiring.runbook_role import manifest
from commands.shared.declared_repairs import commands
from tests.runbook.test_declared import compiled

CHECK = {
    "title": "Services",
    "exec": {"command": ["svstat", "sshd"]},
    "expect": "lines.all(l, l.startsWith('up'))",
    "fails": {"offer": {"repair": "start", "service": "sshd"}},
}
REPAIR = {
    "summary": "Start a service",
    "params": {"service": {"one_of": ["sshd", "cron"]}, "how-long": {"duration": ["1s", "1m"], "default": "5s"}},
    "facts": {"state": {"exec": {"command": ["svstat", "{service}"]}}},
    "only_if": "state.lines[0].startsWith('down') && param.how_long != ''",
    "refusal": "param.service + ' runs'",
    "steps": [{"exec": {"command": ["svc", "-u", "{service}", "-t", "{how-long}"]}, "ok": [0, 3]}],
    "verify": {"check": "services"},
    "impact": ["work"],
}
IMPACT = {"title": "Uncommitted work", "exec": {"command": ["git", "status"]}, "shows": "lines"}


def written(**changes: Any) -> str:
    """A runbook with one of each, where dotted places (``repairs.start.only_if``) are changed; None removes."""
    book: dict[str, Any] = yaml.safe_load(
        yaml.safe_dump(
            {"runbook": "t", "checks": {"up": CHECK}, "repairs": {"start": REPAIR}, "impact": {"work": IMPACT}}
        )
    )
    book["repairs"]["start"]["verify"]["check"] = "up"
    for place, value in changes.items():
        *path, last = place.split("__")
        inner = book
        for part in path:
            inner = inner[int(part)] if part.isdigit() else inner[part]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    return yaml.safe_dump(book, sort_keys=False)


def test_one_of_each_compiles() -> None:
    book, problems = compiled(written())
    assert problems == ""
    assert book is not None
    assert book.checks["up"].offer == "start sshd"
    assert book.repairs["start"].entry.steps[0].ok == (0, 3)
    assert book.impact["work"].entry.title == "Uncommitted work"


def test_an_offer_writes_flags_and_quotes() -> None:
    offer = {"repair": "start", "service": "sshd", "how-long": "7s"}
    book, _ = compiled(written(checks__up__fails__offer=offer))  # safe_dump sorts the parameters
    assert book is not None
    assert book.checks["up"].offer == "start --how-long 7s sshd"


ODD = [
    "--all",
    "--dry-run",
    "--target",
    "--",
    "–x",
    "—",
    "-a",
    "it’s",
    "it's",
    "say “hi”",
    'a "b" c',
    "two  blanks",
    "\\",
]


@pytest.mark.parametrize("service", ODD)
def test_an_offer_gives_exactly_the_value_whatever_flags_follow(service: str) -> None:
    params = {"service": {"one_of": ODD}, "how-long": {"duration": ["1s", "1m"], "default": "5s"}}
    offer = {"repair": "start", "service": service, "how-long": "7s"}
    book, problems = compiled(written(repairs__start__params=params, checks__up__fails__offer=offer))
    assert book is not None, problems
    line = f'{book.checks["up"].offer} --reason "it is down" --target other --dry-run'
    found = parse(line, commands({"t": book}))
    assert (found.target, found.dry_run, getattr(found.params, "reason", "")) == ("other", True, "it is down")
    assert getattr(found.params, "service", "") == service


def test_an_offer_of_a_restart_may_name_a_container() -> None:
    offer = {"repair": "restart", "container": "web-proxy"}
    book, problems = compiled(written(checks__up__fails__offer=offer))
    assert book is not None, problems
    assert book.checks["up"].offer == "restart --container web-proxy"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"checks__up__fails__offer": "stat"},
            "checks.up.fails.offer: there is no repair 'stat'; did you mean 'start",
        ),
        ({"checks__up__fails__offer": "start"}, "checks.up.fails.offer: start needs a service: {repair: start"),
        ({"checks__up__fails__offer__service": "ssh"}, "'ssh' is not taken; it takes one of sshd, cron"),
        ({"checks__up__fails__offer__servce": "sshd"}, "no parameter 'servce'; did you mean 'service'?"),
        ({"checks__up__fails__offer": {"repair": "restart", "force": "x"}}, "restart has no parameter 'force'"),
        (
            {"checks__up__fails__offer": {"repair": "restart", "container": "x y"}},
            "checks.up.fails.offer.container: 'x y' is no container's name",
        ),
        ({"repairs__start__only_if": "state.line == ''"}, "no 'state.line' here; did you mean 'state.lines'?"),
        ({"repairs__start__only_if": "param.service"}, "this is of type string, and bool is needed"),
        ({"repairs__start__only_if": None}, "repairs.start.refusal: it is never said: there is no only_if"),
        ({"repairs__start__verify__check": "pu"}, "repairs.start.verify.check: there is no check 'pu'; did you"),
        ({"repairs__start__verify": None}, "repairs.start.verify: it is missing"),
        ({"repairs__start__verify__within": "1h"}, "the check has at most 10m"),
        (
            {"repairs__start__impact": ["wrk"]},
            "repairs.start.impact: there is no impact 'wrk'; did you mean 'work'?",
        ),
        ({"repairs__start__steps": []}, "repairs.start.steps"),
        ({"repairs__start__steps": [{"run": "x"}]}, "repairs.start.steps.0.exec: it is missing"),
        ({"repairs__start__steps__0__exec": "svc -u sshd"}, "repairs.start.steps.0.exec"),
        ({"repairs__start__steps__0__exec__comand": ["x"]}, "setting 'comand'; did you mean 'command'?"),
        ({"repairs__start__steps__0__exec__timeout": "1h"}, "repairs.start.steps.0: a step takes at most 10m"),
        ({"repairs__start__steps__0__ok": []}, "repairs.start.steps.0.ok"),
        ({"repairs__start__steps__0__ok": [True]}, "repairs.start.steps.0.ok.0: "),
        ({"repairs__start__steps__0__ok": [0, 127]}, "repairs.start.steps.0: ok can't have 127"),
        ({"repairs__start__approval": {"needed": True}}, "repairs.start.approval.needed: "),
        (
            {"repairs__start__params__service__one_of": ["sshd", "a\tb"]},
            "'a\\tb' can never be given: it has a line break or another character that can't be shown",
        ),
        (
            {"repairs__start__steps__0__exec__command": ["{service}", "{how-long}"]},
            "can't be the program that runs",
        ),
        ({"repairs__start__params__x": {"one_of": ["a"]}}, "repairs.start.params.x: no word of the command has"),
        ({"repairs__start__params__reason": {"one_of": ["a"]}}, "a parameter can't be called 'reason'"),
        ({"repairs__start__approval": {"needed": 0}}, "repairs.start.approval.needed"),
        ({"repairs__logs": REPAIR}, "repairs.logs: the bot has a command 'logs' of its own"),
        *(
            ({f"repairs__{name}": REPAIR}, f"repairs.{name}: `agentpod {name}` means something else")
            for name in ("run", "runbook", "ledger", "check", "sandbox")
        ),
        (
            {"commands": {"start": {"summary": "S", "exec": {"command": ["x"]}}}},
            "repairs.start: there is a command 'start' too",
        ),
        ({"impact__work__shows": "1"}, "impact.work.shows: this is of type int"),
        ({"impact__work__exec": None}, "impact.work: it reads no fact"),
    ],
)
def test_a_mistake_is_named_with_its_line(changes: dict[str, Any], said: str) -> None:
    book, problems = compiled(written(**changes))
    assert book is None
    assert said in problems
    assert all(line.startswith(("try.yaml line ", "  ")) for line in problems.splitlines())


def test_the_page_shows_repairs_and_impacts() -> None:
    book, _ = compiled(written())
    assert book is not None
    page = "\n".join(runbook_page(book.runbook))
    for part in (
        "- Needs 1 approval",
        "- Runs `svc -u {service} -t {how-long}` within 30 s, which may end with 0, 3",
        "- Then `up` must be all right within 30 s",
        "- Offers: `start sshd`",
        "### Uncommitted work (`work`)",
    ):
        assert part in page


def test_the_command_has_the_rights_of_its_repair() -> None:
    book, _ = compiled(written())
    assert book is not None
    assert set(DECLARED_REPAIR.rights(Target())) <= set(declared_repair.rights("start", book, Target()))


def test_the_rights_of_a_repair_are_in_the_role() -> None:
    exec_only = written(
        checks__up__exec=None, checks__up__pod={}, checks__up__expect="ready", impact__work__exec=None
    )
    text = yaml.safe_load(exec_only)
    text["impact"]["work"] = {"title": "T", "pod": {}, "shows": "lines"}
    del text["repairs"]["start"]["facts"], text["repairs"]["start"]["only_if"], text["repairs"]["start"]["refusal"]
    book, problems = compiled(yaml.safe_dump(text))
    assert book is not None, problems
    role = next(yaml.safe_load_all("\n".join(manifest(book.runbook, Target()))))
    granted = {
        (resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]
    }
    assert {("pods/exec", "create"), ("pods/exec", "get"), ("pods", "list")} <= granted


def test_a_step_in_an_unknown_container_is_refused_at_start(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(written(repairs__start__steps__0__exec__container="kaly"))
    with pytest.raises(SettingsError) as caught:
        Books([Target(runbook=(str(path),))])
    [said] = caught.value.problems
    assert said.startswith(f"{path} line ")
    assert (
        "repairs.start.steps.0.exec.container: secure-agent-pod has no container 'kaly'; did you mean 'kali'?"
        in said
    )
