"""How each action is carried out and verified: one module per action, as in `bot.domain.approvals.actions`."""
