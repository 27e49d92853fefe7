"""The executions by action name: every `Execution` in a module of this package."""

from __future__ import annotations

from bot.domain.core.registry import Registry, found_in
from bot.services.approvals.actions.execution import Execution

_FOUND = found_in(__package__, Execution)  # type: ignore[type-abstract]  # instances of its subclasses

BUILTIN: Registry[Execution] = Registry("execution", sorted(_FOUND, key=lambda execution: execution.name))
