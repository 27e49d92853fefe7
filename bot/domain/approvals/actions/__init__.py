"""Repair actions, a module each: texts and rules. The execution is in `bot.services.approvals.actions`."""
