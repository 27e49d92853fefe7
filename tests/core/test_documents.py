"""The pages of docs/: which of their blocks are commands, and where those run."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.blocks import NOT_RUN, PAGES, PLANE, ROOT, all_blocks, blocks, indented
from tests.docs.prose import sentences, words
from tests.messages.rules import FORBIDDEN_WORDS

MOST_WORDS = 25
PLANE_TESTS = (ROOT / "tests/controlplane/test_deploy.py").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_its_language(page: Path) -> None:
    assert indented(page) == []
    assert [str(block) for block in blocks(page) if not block.language] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_sentence_has_to_be_read_twice(page: Path) -> None:
    assert [sentence for sentence in sentences(page) if words(sentence) > MOST_WORDS] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_words_that_messages_may_not_have(page: Path) -> None:
    assert [sentence for sentence in sentences(page) if FORBIDDEN_WORDS.search(sentence)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([\w./-]*\.md)?#([^)]+)\)", page.read_text("utf-8"))
    assert [
        f"{file}#{part}" for file, part in links if part not in _anchors(page.parent / file if file else page)
    ] == []


@cache
def _anchors(page: Path) -> set[str]:
    """What GitHub calls the headings, and anchors that are written out."""
    text = page.read_text("utf-8")
    plain = (re.sub(r"[^\w\- ]", "", h.lower()) for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE))
    return {heading.replace(" ", "-") for heading in plain} | set(re.findall(r'<a id="([^"]+)">', text))


def test_every_page_is_in_the_readme() -> None:
    index = (ROOT / "README.md").read_text("utf-8")
    assert [page.name for page in PAGES if page.parent.name == "docs" and f"(docs/{page.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_in_blocks_of_commands(page: Path) -> None:
    assert [f"{block}: {line}" for block in blocks(page) for line in block.stray] == []


def test_a_command_that_no_test_runs_says_why() -> None:
    marked = [block for block in all_blocks() if block.is_shell and block.comment and block.comment != PLANE]
    assert [
        str(b) for b in marked if not b.comment.startswith((NOT_RUN, "exit code ")) or len(b.reason) < 10
    ] == []


def test_the_control_plane_tests_run_every_page_that_leaves_commands_to_them() -> None:
    left = {block.page.name for block in all_blocks() if block.is_shell and block.comment == PLANE}
    assert [name for name in sorted(left) if f'"{name}"' not in PLANE_TESTS] == []
