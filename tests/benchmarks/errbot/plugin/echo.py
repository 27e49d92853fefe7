"""Errbot's one command."""

from errbot import BotPlugin, botcmd


class Echo(BotPlugin):
    """Answers with what it is given."""

    @botcmd
    def echo(self, msg: object, args: str) -> str:
        """Say it again."""
        return f"echo {args}"
