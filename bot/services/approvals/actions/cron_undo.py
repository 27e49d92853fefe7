"""Carries out `cron undo`; see `crontab_execution`."""

from __future__ import annotations

from bot.domain.approvals.actions.cron_undo import CRON_UNDO
from bot.services.approvals.actions.crontab_execution import ChangeCrontab


class CronUndo(ChangeCrontab):
    """See the module."""

    action = CRON_UNDO


EXECUTION = CronUndo()
