"""Rounds of `cron edit` and `cron run` while bots are killed: a crontab is put in place once, a script run once.

A crontab is recognised by its digest, so its change is made and found whichever process dies. A script that was
sent before its bot was killed may have run: its request then ends with just that.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from tests.postgres import Postgres
from tests.soak.declared import DeclaredProof, prepared_declared, text_of

SCRIPT = "/opt/scripts/audit-digest.sh"
FIXTURE = f"""
containers:
  kali:
    state: {{digest: none}}
    commands:
      - {{run: [{SCRIPT}], sets: {{digest: sent}}, stdout: "sent\\n"}}
"""


class CrontabProof(DeclaredProof):
    """See the module: rounds of odd numbers edit, the others run a script."""

    fixture = FIXTURE
    MOST = {"commit": 10, "look": 4, "change": 5, "post": 3, "edit": 4}  # noqa: RUF012 - see the base

    def asked_line(self, reason: str) -> str:
        """See `DeclaredProof`."""
        if _edits(reason):
            return f'cron edit --reason "{reason}" --crontab "{_crontab(reason)}"'
        return f'cron run audit-digest.sh --reason "{reason}"'

    def _is_true(self, repair: RepairRequest, ran: Sequence[tuple[str, ...]]) -> bool:
        """See `DeclaredProof`."""
        text = text_of(repair)
        done = [("crontab", f"{_crontab(repair.reason)}\n")] if _edits(repair.reason) else [(SCRIPT,)]
        if repair.state is RequestState.SUCCEEDED:
            return list(ran) == done
        if repair.state is not RequestState.FAILED or "nothing was changed" in text:
            return not ran
        return "nobody knows" in text and list(ran) in ([], done)


def _edits(reason: str) -> bool:
    return int(reason.split()[-1]) % 2 == 1


def _crontab(reason: str) -> str:
    number = int(reason.split()[-1])
    return f"{number % 60} {number % 24} * * * {SCRIPT} # {reason}"


def prepared_crontabs(
    *, postgres: Postgres | None = None, seed_: int = 0, between: bool = True
) -> AbstractAsyncContextManager[DeclaredProof]:
    """Start everything; see `prepared_declared`."""
    return prepared_declared(CrontabProof, postgres=postgres, seed_=seed_, between=between)
