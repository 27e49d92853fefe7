"""What people read where the bot stops before it has answered."""

CUT_SHORT = "I was restarted before I could answer. Run it again in a minute."
IF_NOTHING_FOLLOWS = "If nothing follows within a minute, run it again."
"""A killed bot can't say that it was: the messages that an answer replaces say it for that case."""
