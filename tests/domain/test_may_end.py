"""A repair is named as what preceded an incident's end only where it can end such a problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.cron_edit import CRON_EDIT
from bot.domain.approvals.actions.cron_run import CRON_RUN
from bot.domain.approvals.actions.declared_repair import DECLARED_REPAIR
from bot.domain.approvals.actions.egress_create import EGRESS_CREATE
from bot.domain.approvals.actions.heartbeat_push import HEARTBEAT_PUSH
from bot.domain.approvals.actions.image_pull import IMAGE_PULL
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_keys_copy import SSH_KEYS_COPY


@dataclass(frozen=True)
class Wanted:
    subject: str = ""


@pytest.mark.parametrize(
    ("action", "wanted", "source", "subject", "of_pod", "can"),
    [
        (RESTART, "", "pod", "kali", True, True),
        (RESTART, "", "restarts", "kali", True, True),
        (RESTART, "", "process", "sshd", True, True),
        (RESTART, "", "heartbeat", "agent-pulse", True, True),
        (RESTART, "", "heartbeat", "backup", False, False),
        (RESTART, "", "storage", "/home/agent", True, False),
        (IMAGE_PULL, "", "source:pushgateway", "the Pushgateway", False, False),
        (IMAGE_PULL, "", "source:cluster", "the Kubernetes API", False, False),
        (SECRET_SET, "agent-ssh-keys", "pod", "kali", True, True),
        (SSH_KEYS_COPY, "", "process", "sshd", True, False),
        (CRON_RUN, "cron run agent_pulse.sh", "heartbeat", "agent-pulse", True, True),
        (CRON_RUN, "cron run agent_pulse.sh", "heartbeat", "audit-digest", True, False),
        (CRON_RUN, "cron run agent_pulse.sh", "storage", "agent-pulse", True, False),
        (CRON_EDIT, "", "heartbeat", "agent-pulse", True, True),
        (CRON_EDIT, "", "process", "sshd", True, False),
        (HEARTBEAT_PUSH, "backup", "heartbeat", "backup", False, True),
        (HEARTBEAT_PUSH, "backup", "heartbeat", "agent-pulse", True, False),
        (EGRESS_CREATE, "agent-egress", "check", "Egress policy", True, True),
        (EGRESS_CREATE, "agent-egress", "pod", "kali", True, False),
        (DECLARED_REPAIR, "clean", "storage", "/home/agent", True, True),
    ],
)
def test_what_a_repair_can_end(
    action: RepairAction, wanted: str, source: str, subject: str, of_pod: bool, can: bool
) -> None:
    assert action.may_end(cast("Any", Wanted(wanted)), source, subject, of_pod=of_pod) is can
