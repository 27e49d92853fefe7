"""Carries out `cron edit`; see `crontab_execution`."""

from __future__ import annotations

from bot.domain.approvals.actions.cron_edit import CRON_EDIT
from bot.services.approvals.actions.crontab_execution import ChangeCrontab


class CronEdit(ChangeCrontab):
    """See the module."""

    action = CRON_EDIT


EXECUTION = CronEdit()
