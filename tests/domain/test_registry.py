"""Duplicate names are refused, and unknown names are reported."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from bot.domain.core.registry import Registry, found_in


@dataclass(frozen=True)
class Tool:
    name: str


SAW, AXE = Tool("saw"), Tool("axe")


def test_items_keep_their_order_and_are_found_by_name() -> None:
    tools = Registry("tool", [SAW]).with_([AXE])
    assert (list(tools), tools.names, len(tools)) == ([SAW, AXE], ("saw", "axe"), 2)
    assert (tools["axe"], tools.get("axe"), tools.get("file")) == (AXE, AXE, None)
    assert "saw" in tools
    assert "file" not in tools


def test_duplicate_names_are_refused() -> None:
    with pytest.raises(ValueError, match="the tool 'saw' is registered twice"):
        Registry("tool", [SAW, AXE]).with_([Tool("saw")])


@pytest.mark.parametrize(("items", "known"), [([SAW, AXE], "saw, axe"), ([], "none")])
def test_the_error_for_an_unknown_name_lists_the_known_ones(items: list[Tool], known: str) -> None:
    with pytest.raises(KeyError, match=f"there is no tool 'file'; known: {known}"):
        Registry("tool", items)["file"]


def test_a_module_s_items_are_found_once_and_by_the_module_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "found_in_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "b.py").write_text(
        "from fractions import Fraction\nONE = Fraction(1)\nTWO, WORD = Fraction(2), 'no'\n"
    )
    (package / "a.py").write_text(
        "from found_in_a_test.b import TWO\nfrom fractions import Fraction\nNINE = Fraction(9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert found_in("found_in_a_test", Fraction) == (2, 9, 1)


def test_a_module_that_can_not_be_imported_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "broken_in_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("import leftpad_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="leftpad"):
        found_in("broken_in_a_test", Fraction)
