"""The lively sandbox's bot: `agentpod run`, unchanged but for a clock that the panel can move."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from bot import logs
from bot.app import Bot
from bot.domain.core import moments
from bot.errors import AgentpodError
from bot.settings.loader import load
from sandbox import yesterday
from sandbox.moved_clock import MovedClock
from sandbox.moved_time import VARIABLE, MovedTime


async def _run() -> None:
    settings = load().settings
    moments.seal_by(settings.secret_values())  # before anything is stored, as `agentpod run` does
    logs.configure(settings.log.level, settings.log.format, settings.secret_values())
    clock = MovedClock(MovedTime(Path(os.environ[VARIABLE])))
    if yesterday.VARIABLE in os.environ:
        from sandbox import recorded_day  # other bots need none of it

        facts = yesterday.read_facts(Path(os.environ[yesterday.VARIABLE]))
        await recorded_day.record(settings, facts, clock.now())
    await Bot(settings, clock).run()


def main() -> None:
    """Run the bot; an error it names ends it with that error's words, as `agentpod run` does."""
    try:
        asyncio.run(_run())
    except AgentpodError as error:
        sys.exit(f"agentpod: {' '.join(filter(None, (error.message, error.remedy)))}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
