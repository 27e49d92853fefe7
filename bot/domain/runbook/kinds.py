"""All kinds of facts: each is a module in ``facts``."""

from __future__ import annotations

from bot.domain.core.registry import Registry, found_in
from bot.domain.runbook.kind import FactKind

KINDS: Registry[FactKind] = Registry("kind of fact", found_in("bot.domain.runbook.facts", FactKind))
"""In the order of their modules' names."""
