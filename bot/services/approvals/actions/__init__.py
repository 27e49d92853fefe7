"""How each action is carried out and verified: one module an action, as in `bot.domain.approvals.actions`."""
