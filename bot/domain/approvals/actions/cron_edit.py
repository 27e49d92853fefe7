"""Edit the pod's crontab."""

from __future__ import annotations

from bot.domain.approvals.actions.crontab_action import CrontabAction


class CronEdit(CrontabAction):
    """See the module. Its subject is the beginning of the new file's SHA-256."""

    name = "cron edit"
    title = "New crontab for {target}"
    done = "Crontab of {target} changed"
    by_form = True


CRON_EDIT = CronEdit()
