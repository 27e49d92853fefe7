"""Rules for the page's source that its strict content policy requires."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "sandbox" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_never_parse_text_as_html(script: Path) -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc"
    assert re.findall(forbidden, script.read_text()) == []


def test_the_page_has_no_inline_script_style_or_handler() -> None:
    html = (PAGE / "index.html").read_text()
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html) == []


@pytest.mark.parametrize("name", [path.name for path in PAGE.iterdir()])
def test_nothing_is_loaded_from_other_hosts(name: str) -> None:
    text = (PAGE / name).read_text()
    addresses = [a for a in re.findall(r"https?://[a-z0-9.-]+\.[a-z]+", text) if a != "http://www.w3.org"]
    assert addresses == []
    assert "@import" not in text
