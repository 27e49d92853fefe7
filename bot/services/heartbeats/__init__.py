"""Which jobs are due for evaluation, and the bot's own heartbeat."""
