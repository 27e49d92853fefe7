"""Put the version of the crontab back that was there before the last change made with the bot."""

from __future__ import annotations

from bot.domain.approvals.actions.action import Wanted, with_reason
from bot.domain.approvals.actions.crontab_action import CrontabAction


class CronUndo(CrontabAction):
    """See the module. Its subject is the beginning of that version's SHA-256."""

    name = "cron undo"
    title = "Undo of the last crontab change on {target}"
    done = "Crontab of {target} has its previous version back"

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return with_reason("cron undo", wanted)


CRON_UNDO = CronUndo()
