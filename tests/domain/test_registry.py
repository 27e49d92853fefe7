"""Duplicate names are refused, and unknown names are reported."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bot.domain.core.registry import Registry


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
