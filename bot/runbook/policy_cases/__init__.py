"""Cases that the access and approval settings must fulfil, judged as the bot judges them, without Slack."""
