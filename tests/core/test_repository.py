"""Checks of the repository itself: references are up to date, locks name no index, rights are exact."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.domain.core.target import Target
from bot.wiring.rights import rights_needed
from bot.wiring.runbook_tools import compiled
from commands.registry import BUILTIN

ROOT = Path(__file__).parents[2]


def test_the_reference_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_files_have_hashes_and_name_no_index(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|-f|--find-links)\b", text, re.MULTILINE)
    packages = re.findall(r"^[A-Za-z0-9_.\[\]-]+==", text, re.MULTILINE)
    assert len(packages) > 20
    assert text.count("--hash=sha256:") >= len(packages)


def test_every_make_target_of_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        named = set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.MULTILINE))
        assert named <= targets, page.name


def test_every_link_between_documents_is_valid() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def _granted(path: str) -> set[tuple[str, str, str, str, str]]:
    """``(namespace, group, resource, name, verb)`` of every rule in a manifest."""
    rights: set[tuple[str, str, str, str, str]] = set()
    for doc in yaml.safe_load_all((ROOT / path).read_text()):
        if doc and doc["kind"] == "Role":
            where = doc["metadata"].get("namespace", "")
            rights |= {right for rule in doc["rules"] for right in _rule(where, rule)}
    return rights


def _rule(where: str, rule: dict[str, Any]) -> set[tuple[str, str, str, str, str]]:
    return {
        (where, group, resource, name, verb)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def test_the_shipped_roles_grant_exactly_what_the_commands_need() -> None:
    needed = {
        (
            r.namespace or "",
            r.group,
            r.resource + (f"/{r.subresource}" if r.subresource else ""),
            # A name in a Right for a listing means nothing to RBAC; only by-name rules carry one.
            r.name,
            r.verb,
        )
        for r in rights_needed(Target(), BUILTIN, book=compiled("secure-agent-pod"))
    }
    granted = _granted("deploy/base/role.yaml") | _granted("deploy/options/argocd/role.yaml")
    granted |= {
        ("", *right) for _, *right in _granted("deploy/options/egress/role.yaml")
    }  # the target's namespace
    assert granted - needed == set(), "granted but not needed"
    assert needed - granted == set(), "needed but not granted"


def test_tests_of_one_group_share_a_worker(tmp_path: Path) -> None:
    # What a group shares is dear: a control plane, a bot in a sandbox, a built image.
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n"
        "@pytest.mark.xdist_group('one')\n"
        "@pytest.mark.parametrize('number', range(8))\n"
        "def test_it(number, worker_id):\n"
        "    open('workers', 'a').write(worker_id + ' ')\n"
    )
    # Nothing but xdist: loading the other plugins three times takes longer than all the rest.
    options = ["-pxdist", "-n2", "--dist=loadgroup", "-pno:cacheprovider", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "."],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    workers = (tmp_path / "workers").read_text().split()
    assert (len(workers), len(set(workers))) == (8, 1), workers


def test_every_document_and_section_cited_in_code_exists() -> None:
    """Every rule cited in a docstring must be in the repository."""
    cited = re.compile(r"\b((?:docs/)?[\w-]+\.md)\b(?:,\s+\"([^\"]+)\")?")
    for path in (p for root in ("bot", "commands", "sandbox") for p in (ROOT / root).rglob("*.py")):
        for name, section in cited.findall(path.read_text(encoding="utf-8")):
            found = next(
                (p for p in (ROOT / name, ROOT / "docs" / name, ROOT / "sandbox" / name) if p.exists()), None
            )
            assert found is not None, f"{path} cites {name}, which is not in the repository"
            words = " ".join(section.split())
            here = f"# {words}\n" in found.read_text(encoding="utf-8")
            assert not section or here, f"{path} cites {words!r} of {name}"


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_file_named_in_a_page_exists(page: str) -> None:
    """Newcomers follow the walks and the checklists file by file."""
    named = re.findall(r"`((?:bot|commands|sandbox|tests|scripts)/[\w/]+\.py)`", (ROOT / page).read_text("utf-8"))
    assert len(named) >= 3
    assert [name for name in named if not (ROOT / name).exists()] == []
