"""Every module that runs a command in a container declares its form, for the admission policies."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from bot.domain.core.target import Target
from bot.domain.rbac.exec_forms import ExecForm, file_in, number, one_of
from bot.ports.cluster import Cluster
from bot.wiring.exec_forms import SOURCES, all_exec_forms
from bot.wiring.runbook_tools import compiled
from commands.observe.storage import du_commands

ROOT = Path(__file__).parents[2]


def _takes_argv(method: object) -> bool:
    return inspect.isfunction(method) and "argv" in inspect.signature(method).parameters


WRAPPERS = {"in_each", "in_first_container", "first_that_works", "text_file", "digests"}
RUNNING = {*(name for name, one in inspect.getmembers(Cluster) if _takes_argv(one)), *WRAPPERS}
"""Names of what runs a command: the port's methods with an ``argv``, and functions that pass one on to them."""
PASS_ON = {
    "bot/services/health/reads.py": "its callers say what runs in each container",
    "bot/services/runbook/readers/exec.py": "the runbook's forms are read from the runbook",
    "bot/services/approvals/actions/recorded_steps.py": "so are those of its repairs; cron_run declares its own",
    "bot/services/approvals/actions/crontab_execution.py": "crontab_file declares what it runs",
    "bot/services/health/in_container.py": "its callers say what runs in the first container",
}
"""Modules that run what others give them, and why they declare nothing."""


def _modules() -> Iterator[str]:
    """The modules with a call of what runs a command."""
    for folder in ("bot/services", "bot/wiring", "commands"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            names = {f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in calls}
            if names & RUNNING:
                yield str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", list(_modules()))
def test_a_module_that_runs_a_command_declares_its_form(path: str) -> None:
    if path in PASS_ON:
        return
    module = import_module(path.removesuffix(".py").replace("/", "."))
    forms = getattr(module, "exec_forms", None)
    hint = "see bot/domain/rbac/exec_forms.py: admission refuses what is not declared"
    assert forms is not None, f"{path} runs a command and has no exec_forms(target); {hint}"
    assert forms in SOURCES, f"exec_forms of {path} is not listed in bot/wiring/exec_forms.py; {hint}"


def test_nothing_is_excused_without_need() -> None:
    assert {"exec", "run_once"} <= RUNNING
    assert set(PASS_ON) <= set(_modules())


def test_the_builtin_forms_of_the_handbooks_pod() -> None:
    forms = all_exec_forms(Target(), None)
    assert ExecForm("kali", ("cat", "/home/claude/.crontab")) in forms
    assert ExecForm("kali", ("ls", "-1", "/opt/scripts")) in forms
    assert all(ExecForm("kali", argv) in forms for argv in du_commands("/home/claude"))
    assert {form.container for form in forms} == {"kali"}
    assert [form.words[0] for form in forms if form.stdin] == ["dd"]


def test_the_runbooks_forms_are_added_once() -> None:
    forms = all_exec_forms(Target(), compiled("secure-agent-pod"))
    assert len(forms) == len(set(forms)) > len(all_exec_forms(Target(), None))


FOLDER = "/home/claude/.ssh-host-keys"


@pytest.mark.parametrize(
    ("argv", "fits"),
    [
        (("cat", f"{FOLDER}/a.pub"), True),
        (("cat", f"{FOLDER}/a.pub", f"{FOLDER}/b b.pub"), True),
        (("cat", *[f"{FOLDER}/{n}.pub" for n in range(10)]), True),
        (("cat", *[f"{FOLDER}/{n}.pub" for n in range(11)]), False),
        (("cat",), False),
        (("cat", f"{FOLDER}/a"), False),
        (("cat", f"{FOLDER}/../.ssh/a.pub"), False),
        (("cat", f"{FOLDER}/a.pub\n"), False),
        (("cat", f"{FOLDER}/a.pub", "/etc/shadow"), False),
        (("cat", "--", f"{FOLDER}/a.pub"), False),
        (("tac", f"{FOLDER}/a.pub"), False),
    ],
)
def test_the_host_keys_are_files_of_their_folder(argv: tuple[str, ...], fits: bool) -> None:
    forms = all_exec_forms(Target(), None)
    assert any(form.fits("kali", argv) for form in forms) is fits
    assert not any(form.fits("sidecar", argv) or form.fits("kali", argv, stdin=True) for form in forms)


def test_arguments_that_vary() -> None:
    write = ExecForm("kali", ("dd", "of=/x.new", "bs=1", number("count=")), stdin=True)
    assert write.fits("kali", ("dd", "of=/x.new", "bs=1", "count=17"), stdin=True)
    assert not write.fits("kali", ("dd", "of=/x.new", "bs=1", "count=17"))
    assert not write.fits("kali", ("dd", "of=/x.new", "bs=1", "count=17 of=/y"), stdin=True)
    script = ExecForm("kali", (file_in("/opt/scripts/"),))
    assert [script.fits("kali", (f"/opt/scripts/{name}",)) for name in ("a.sh", "..x", "..", ".", "", "a/b")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    named = file_in("/opt/scripts", "[a-z]+|x-y", after=".sh")
    assert [named.fits(f"/opt/scripts/{name}") for name in ("ab.sh", "x-y.sh", "ab", "A.sh", "/ab.sh")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    either = ExecForm("kali", ("kill", one_of(["-TERM", "-HUP"]), "1"))
    assert either.fits("kali", ("kill", "-HUP", "1"))
    assert not either.fits("kali", ("kill", "-HUPP", "1"))
