"""What can be asked for: one module an action. Texts and rules; how it is done is in `bot.services.approvals`."""
