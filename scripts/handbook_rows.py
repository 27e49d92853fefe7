"""The handbook's rows as a page: each with its command, and the tests that prove it on real parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from commands.registry import BUILTIN

ROOT = Path(__file__).parents[1]
NEEDS = {command.name: command.needs.name.lower() for command in BUILTIN}
"""What a command's caller must be allowed, by its name."""


@dataclass(frozen=True)
class Row:
    """A row of the handbook, its command, and its tests: ``file::test[parameter]`` in `tests/`."""

    chapter: str
    row: str
    command: str
    tests: tuple[str, ...]


def _command(*names: str) -> tuple[str, ...]:
    """The parameter of each command in the test that runs all of them on a real control plane."""
    test = "controlplane/test_commands.py::test_a_command_works_with_the_shipped_rights_alone"
    return tuple(f"{test}[{name}]" for name in names)


def _tree(*rows: str) -> tuple[str, ...]:
    """The parameters of the test that runs the decision trees on a real control plane."""
    test = "controlplane/test_diagnoses.py::test_a_tree_names_the_cause_and_shows_the_line_that_proves_it"
    return tuple(f"{test}[{row}]" for row in rows)


ROWS = (
    Row(
        "Observe",
        "Pod health",
        "status",
        (
            *_command("status", "pods"),
            "controlplane/test_states.py::test_a_pod_in_trouble_is_named_first",
            "controlplane/test_pod_states.py::test_the_cause_is_named_first_by_status_pods_and_the_alert",
            "controlplane/test_node_loss.py::test_a_pod_on_a_dead_node_is_not_ready_raises_an_incident_and_recovers_with_the_node",
        ),
    ),
    Row(
        "Observe",
        "Events, conditions",
        "events",
        (
            *_command("events"),
            "controlplane/test_contract.py::test_events_are_newest_first_and_about_named_objects",
        ),
    ),
    Row("Observe", "Container identity", "identity", (*_command("identity"),)),
    Row(
        "Observe",
        "Process health",
        "processes",
        (
            *_command("processes"),
            "domain/test_judge_processes.py::test_the_handbooks_healthy_listings_are_healthy",
        ),
    ),
    Row(
        "Observe",
        "Services, load balancer addresses",
        "services",
        (
            *_command("services"),
            "controlplane/test_contract.py::test_services_with_their_addresses_and_ports",
        ),
    ),
    Row(
        "Observe",
        "SSH connectivity",
        "services",
        (
            *_command("services"),
            "scenarios/test_real_sshd.py::test_the_fingerprints_are_those_a_client_sees_also_after_new_keys",
        ),
    ),
    Row(
        "Observe",
        "VibeKanban HTTP",
        "services",
        (
            *_command("services"),
            "scenarios/test_faults.py::test_status_reports_each_fault_correctly[kanban-502]",
        ),
    ),
    Row(
        "Observe",
        "Argo CD sync",
        "argocd",
        (
            *_command("argocd"),
            "controlplane/test_custom_resources.py::test_argocd_names_the_missing_kind_object_or_right",
        ),
    ),
    Row(
        "SSH",
        "View authorized keys",
        "ssh keys",
        (
            *_command("ssh keys"),
            "controlplane/test_contract.py::test_the_file_of_ssh_keys_is_read",
        ),
    ),
    Row(
        "SSH",
        "Replace, add or remove a key",
        "ssh keys add",
        (
            *_command("ssh keys add", "ssh keys remove"),
            *_command("ssh keys copy"),
            "controlplane/test_ssh_keys_copy.py::test_an_approved_copy_is_made_with_the_shipped_rights",
            "controlplane/test_at_most_once.py::test_a_bot_killed_at_any_point_stores_a_value_or_key_at_most_once",
        ),
    ),
    Row(
        "SSH",
        "Connecting; host key changed",
        "ssh info",
        (
            *_command("ssh info"),
            "scenarios/test_real_sshd.py::test_the_fingerprints_are_those_a_client_sees_also_after_new_keys",
        ),
    ),
    Row(
        "VibeKanban",
        "UI, process, port, environment",
        "kanban",
        (
            *_command("kanban"),
            "scenarios/test_faults.py::test_a_command_names_its_fault[pod-kill-process]",
        ),
    ),
    Row(
        "VibeKanban",
        "Logs, filtered",
        "logs",
        (
            *_command("logs"),
            "controlplane/test_contract.py::test_a_log_by_tail_since_and_size",
        ),
    ),
    Row(
        "VibeKanban",
        "Follow logs",
        "logs",
        (
            "controlplane/test_contract.py::test_a_followed_log_goes_on_with_the_second_in_which_it_broke_off",
            "scenarios/test_follow_logs.py::test_lines_come_into_the_thread_until_somebody_stops_it",
        ),
    ),
    Row(
        "Secrets",
        "Tier 1, External Secrets; tier 2, view",
        "secrets",
        (
            *_command("secrets"),
            "controlplane/test_custom_resources.py::test_a_missing_right_kind_and_object_are_distinguished",
            "controlplane/test_custom_resources.py::test_secrets_says_whether_the_operator_is_there_and_shows_what_it_does",
        ),
    ),
    Row(
        "Secrets",
        "Tier 2, update a value",
        "secrets set",
        (
            *_command("secrets set"),
            "controlplane/test_at_most_once.py::test_a_bot_killed_at_any_point_stores_a_value_or_key_at_most_once",
        ),
    ),
    Row("Secrets", "Restart needed after a change", "diagnose", (*_tree("env"),)),
    Row("Secrets", "Config files mounted", "configs", (*_command("configs"),)),
    Row(
        "Secrets",
        "Rotate config files",
        "configs rotate",
        (
            *_command("configs rotate"),
            "adapters/test_sops.py::test_a_manifest_is_decrypted",
            "services/test_configs_rotate.py::test_the_secret_gets_what_is_in_the_file_by_one_patch",
            "services/test_configs_rotate.py::test_killed_between_any_two_steps_nothing_is_doubled_or_lost",
            "scenarios/test_configs_rotate.py::test_the_secret_gets_the_files_once_an_approver_agrees",
            "controlplane/test_configs_rotate.py::test_an_approved_rotation_changes_the_secret_by_one_patch",
        ),
    ),
    Row(
        "Lifecycle",
        "Graceful restart",
        "restart",
        (
            *_command("restart"),
            "controlplane/test_at_most_once.py::test_a_bot_killed_at_any_point_restarts_the_pod_once_and_reports_it",
            "controlplane/test_rollout.py::test_a_restart_is_followed_to_ready_and_a_replay_gives_the_same_result",
            "controlplane/test_container_restart.py"
            "::test_an_approved_restart_is_sent_with_the_shipped_rights_and_judged_by_the_restart_count",
        ),
    ),
    Row(
        "Lifecycle",
        "Forced restart",
        "restart",
        (
            "controlplane/test_changes.py::test_a_pod_that_was_replaced_is_not_deleted_in_place_of_the_old_one",
            "controlplane/test_contract.py::test_only_the_pod_that_was_read_is_deleted",
        ),
    ),
    Row(
        "Lifecycle",
        "Volume claim, disk use",
        "storage",
        (
            *_command("storage"),
            "controlplane/test_contract.py::test_a_claim_with_its_size",
        ),
    ),
    Row(
        "Lifecycle",
        "Which image",
        "image",
        (
            *_command("image"),
            "adapters/test_registry.py::test_a_real_registry_says_what_a_tag_points_to",
            "scenarios/test_image_tags.py::test_a_new_image_is_on_the_card_and_in_the_answer",
        ),
    ),
    Row(
        "Lifecycle",
        "Pull the latest image",
        "image pull",
        (
            *_command("image pull"),
            "services/test_image_pull.py::test_killed_between_any_two_steps_the_pod_is_restarted_once",
            "scenarios/test_image_repairs.py::test_one_person_asks_for_the_new_image_and_another_approves",
            "controlplane/test_image_repairs.py::test_an_approved_pull_is_verified_by_the_digest_that_runs",
        ),
    ),
    Row(
        "Lifecycle",
        "Pin another image",
        "image set",
        (
            *_command("image set"),
            "services/test_image_set.py::test_killed_between_any_two_steps_the_image_is_set_once",
            "scenarios/test_image_repairs.py::test_another_tag_is_set_by_its_digest_and_set_back",
            "scenarios/test_image_repairs.py::test_where_argo_cd_makes_the_deployment_the_change_is_to_be_committed",
            "controlplane/test_image_repairs.py::test_an_approved_image_is_set_by_its_digest",
            "controlplane/test_image_repairs.py::test_admission_takes_the_image_and_nothing_beside_it",
        ),
    ),
    Row(
        "Cron",
        "View crontab and schedule",
        "cron",
        (
            *_command("cron"),
            "schedules/test_crontabs.py::test_crontabs_are_read_as_supercronic_reads_them",
        ),
    ),
    Row("Cron", "View scripts", "cron scripts", (*_command("cron scripts"),)),
    Row(
        "Cron",
        "Edit crontab",
        "cron edit",
        (
            *_command("cron edit", "cron undo"),
            "controlplane/test_contract.py::test_a_command_reads_what_is_sent_to_its_input",
            "scenarios/test_crontab_changes.py::test_one_person_edits_and_another_approves",
            "services/test_crontab_change.py::test_killed_between_any_two_steps_it_is_made_once",
        ),
    ),
    Row(
        "Cron",
        "Run a script now",
        "cron run",
        (
            *_command("cron run"),
            "scenarios/test_cron_run.py::test_one_person_asks_and_another_approves",
            "services/test_cron_run.py::test_killed_between_any_two_steps_it_is_run_at_most_once",
        ),
    ),
    Row("Heartbeats", "Current state", "heartbeats", (*_command("heartbeats"),)),
    Row("Heartbeats", "Push by hand", "heartbeats push", (*_command("heartbeats push"),)),
    Row(
        "Egress",
        "Policy status",
        "egress",
        (
            *_command("egress"),
            *_tree("egress"),
        ),
    ),
    Row(
        "Egress",
        "Repair an invalid policy",
        "egress repair",
        (
            *_command("egress repair"),
            "services/test_egress_repair.py::test_the_steps_are_made_in_order_and_each_is_on_the_card",
            "services/test_egress_repair.py::test_killed_between_any_two_steps_nothing_is_doubled_or_lost",
            "scenarios/test_egress_repair.py::test_the_policy_is_replaced_and_the_pod_with_it",
            "controlplane/test_egress_repair.py::test_an_approved_repair_replaces_agent_policy_and_pod",
            "services/test_egress_create.py::test_killed_between_any_two_steps_it_is_created_once",
            "scenarios/test_egress_repair.py::test_a_missing_policy_is_created_from_the_manifest_of_the_failed_repair",
            "controlplane/test_egress_repair.py::test_a_policy_that_a_repair_left_missing_is_created_again",
        ),
    ),
    Row("Egress", "Test egress", "egress test", (*_command("egress test"),)),
    Row(
        "Troubleshoot",
        "CrashLoopBackOff",
        "diagnose",
        (
            *_tree("crash: CrashLoopBackOff"),
            "controlplane/test_diagnoses.py::test_without_an_argument_the_symptom_leads_to_the_cause",
        ),
    ),
    Row("Troubleshoot", "CreateContainerConfigError", "diagnose", (*_tree("config: CreateContainerConfigError"),)),
    Row("Troubleshoot", "Can't sign in by SSH", "diagnose", (*_tree("ssh: sshd", "ssh: address"),)),
    Row("Troubleshoot", "VibeKanban is not accessible", "diagnose", (*_tree("kanban"),)),
    Row("Troubleshoot", "Environment variables not updated", "diagnose", (*_tree("env"),)),
    Row(
        "Scheduled",
        "Stale alerts",
        "heartbeats",
        ("scenarios/test_alerts.py::test_an_alert_is_acknowledged_snoozed_and_resolved_in_place",),
    ),
    Row(
        "Scheduled",
        "Daily digest",
        "digest",
        (
            *_command("digest"),
            "scenarios/test_digest.py::test_two_bots_post_one_digest_at_its_time_with_its_picture",
        ),
    ),
)


def problems() -> list[str]:
    """What is wrong with the rows: commands and tests that are not there."""
    found = [f"{row.row}: there is no command {row.command!r}" for row in ROWS if row.command not in NEEDS]
    return found + [f"{row.row}: there is no test {t}" for row in ROWS for t in row.tests if not _exists(t)]


def _exists(test: str) -> bool:
    """Whether a test is in its file: its function, and the text of its parameter."""
    path, _, name = test.partition("::")
    file = ROOT / "tests" / path
    text = file.read_text("utf-8") if file.is_file() else ""
    function, _, parameter = name.removesuffix("]").partition("[")
    return f"def {function}(" in text and (not parameter or f'"{parameter}"' in text)


def handbook_page(made: str) -> str:
    """The page. Raises ValueError where a row names a command or a test that is not there."""
    if wrong := problems():
        raise ValueError("; ".join(wrong))
    lines = [
        "# The handbook's rows, and what proves them",
        made,
        "Each row of the handbook with the command that runs it, and the tests (in `tests/`) that run it on real "
        "parts: those in `controlplane/` use Kubernetes' own control plane with the shipped rights alone. "
        "`make test` runs all of them.",
    ]
    for chapter in dict.fromkeys(row.chapter for row in ROWS):
        lines += ["", f"## {chapter}", "", "| row | command | needs | tests |", "|---|---|---|---|"]
        for row in (one for one in ROWS if one.chapter == chapter):
            tests = "<br>".join(f"`{test}`" for test in row.tests)
            lines.append(f"| {row.row} | `{row.command}` | {NEEDS[row.command]} | {tests} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(handbook_page(""))
