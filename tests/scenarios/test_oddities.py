"""Oddities of a healthy cluster: Secrets that other programs write, outdated key copies, others' events."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing

import pytest

from tests.healthy import HEALTHY
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-oddities")]


async def status(world: World, says: str) -> str:
    """Repeat `status` until it says so: on a busy machine a check may time out."""
    seen = ""
    for _ in range(20):
        seen = (await world.ask("status")).text
        if says in seen:
            return seen
    raise AssertionError(f"{says!r} is not in:\n{seen}")


async def remembered(world: World) -> None:
    """Wait until the bot has read the Secrets."""
    for _ in range(400):
        with closing(sqlite3.connect(world.sandbox.folder / "agentpod.db")) as database:
            if database.execute("select 1 from marks where name like 'secret:%tier2'").fetchone():
                return
        await asyncio.sleep(0.05)
    raise AssertionError("nothing is remembered of the Secret")


async def test_a_disk_without_a_size_is_unknown(world: World) -> None:
    await world.break_("pod-disk-no-size")
    assert "% full" not in await status(world, "the file system of /home/claude reports no size")


async def test_a_missing_log_file_is_reported_as_an_error(world: World) -> None:
    await world.break_("pod-log-gone")
    answer = await world.ask("logs")
    assert "there is no log of kali: its file is gone from the node" in answer.text
    assert "1 line" not in answer.text


@pytest.mark.parametrize(
    ("writer", "says"),
    [
        ("external-secrets", "ExternalSecret agent-tokens writes the Secret agent-secrets-tier2"),
        ("sealed-secrets", "SealedSecret agent-tokens writes the Secret agent-secrets-tier2"),
    ],
)
async def test_a_change_that_another_program_would_undo_is_refused(world: World, writer: str, says: str) -> None:
    await world.break_("secret-writer", writer)
    assert says in (await world.ask("secrets set GITHUB_TOKEN --reason rotated")).text
    assert "written by" in (await world.ask("secrets")).text


async def test_an_external_secret_is_shown_with_its_condition_store_and_secret(world: World) -> None:
    assert "none configured" in (await world.ask("secrets")).text
    await world.break_("external-secret", "SecretSynced")
    said = (await world.ask("secrets")).text
    assert re.search(r"refreshed 17 min( \d+ s)? ago", said)
    for part in ("SecretSynced", "ClusterSecretStore infisical", "owns Secret agent-secrets-tier1"):
        assert part in said
    await world.break_("external-secret", "SecretSyncedError")
    said = (await world.ask("secrets")).text
    assert "SecretSyncedError" in said
    assert "is not synced: could not get secret data from provider" in said
    absent = world.sandbox.cluster.server.faults.absent_groups
    absent.add("external-secrets.io")
    assert "the operator is not installed" in (await world.ask("secrets")).text
    absent.discard("external-secrets.io")
    await world.break_("kube-403", "externalsecrets")
    assert "may not list externalsecrets" in (await world.ask("secrets")).text


async def test_a_label_on_a_secret_needs_no_restart(world: World) -> None:
    await remembered(world)
    await world.break_("secret-touched", None)
    answer = await world.ask("secrets")
    assert "The pod has the current values of all secrets" in answer.first_line
    assert "old values" not in answer.text


async def test_diagnose_does_not_take_a_label_on_a_secret_for_a_new_value(world: World) -> None:
    await world.break_("secret-touched", None)
    assert "values from before the last change" not in (await world.ask("diagnose env")).text


async def test_keys_changed_since_the_pod_copied_them_are_shown_beside_the_copy(world: World) -> None:
    assert "2 keys can sign in" in (await world.ask("ssh keys")).first_line
    await world.break_("ssh-keys-changed")
    answer = await world.ask("ssh keys")
    assert "the pod still has 1 key that the Secret does not have" in answer.first_line
    assert "only in the pod: yes" in answer.text


async def test_events_of_other_objects_leave_the_target_healthy(world: World) -> None:
    await world.break_("events-others", None)
    await world.break_("claim-stranger")
    await status(world, HEALTHY)
    assert "FailedScheduling" in (await world.ask("events --all")).text


async def test_each_argo_cd_source_is_shown_with_its_revision(world: World) -> None:
    await world.break_("argocd-sources")
    assert "Synced and Healthy at 3f1c2b7 (frank) and 4.2.1 (agent-base)" in (await world.ask("argocd")).text


async def test_a_repeated_warning_is_not_counted_as_of_the_last_hour(world: World) -> None:
    await world.break_("events-repeated", None)  # last: nothing removes the event
    assert "Unhealthy, last 50 min " in await status(world, " ago (4,312 times since ")
