"""The app manifest: the shipped one is valid, and all errors of an invalid one are reported at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.adapters.slack.shortcuts import SHORTCUTS
from bot.adapters.slack.steps import STEPS
from commands.registry import MODULES
from sandbox.slack import manifest as manifests


@pytest.fixture
def raw(manifest: Path) -> Any:
    return yaml.safe_load(manifest.read_text())


def test_the_shipped_manifest_is_valid(manifest: Path) -> None:
    found = manifests.load(manifest)
    assert found.command("/agentpod") is not None
    assert found.socket_mode
    assert found.interactivity
    assert "chat:write" in found.scopes


def test_the_usage_hint_lists_every_command(raw: Any) -> None:
    [command] = raw["features"]["slash_commands"]
    hint = command["usage_hint"]
    assert len(hint) <= 1000, "Slack's limit"
    assert set(re.findall(r"[a-z-]+", hint)) == {word for name in MODULES for word in name.split()}


def test_the_manifest_has_the_bot_s_shortcuts(manifest: Path) -> None:
    found = manifests.load(manifest).shortcuts
    assert [(s.callback_id, s.name, s.description, s.kind) for s in found] == [
        (s.callback, s.name, s.description, s.kind) for s in SHORTCUTS
    ]


def test_the_manifest_with_workflows_differs_only_in_what_steps_need(raw: Any, manifest: Path) -> None:
    more = yaml.safe_load(manifest.with_name("slack-manifest-workflows.yaml").read_text())
    assert list(more.pop("functions")) == [step.callback for step in STEPS]
    assert more["settings"].pop("function_runtime") == "remote"
    more["settings"]["org_deploy_enabled"] = False
    assert more == raw


def test_steps_need_an_app_that_is_ready_for_them(manifest: Path) -> None:
    more = yaml.safe_load(manifest.with_name("slack-manifest-workflows.yaml").read_text())
    assert [f.callback_id for f in manifests.parse(more).functions] == [step.callback for step in STEPS]
    del more["settings"]["function_runtime"]
    more["functions"]["run_check"]["input_parameters"]["check"]["type"] = "text"
    with pytest.raises(manifests.ManifestError) as caught:
        manifests.parse(more)
    assert "functions need settings.org_deploy_enabled: true" in str(caught.value)
    assert "run_check.check needs a known type" in str(caught.value)


def test_shortcuts_beyond_slack_s_limits_are_refused(raw: Any) -> None:
    shortcuts = raw["features"]["shortcuts"]
    shortcuts += [shortcuts[0] | {"type": "wrong"}, shortcuts[0] | {"name": "x" * 25, "callback_id": "more"}]
    with pytest.raises(manifests.ManifestError) as caught:
        manifests.parse(raw)
    for problem in (
        "type must be global or message, not 'wrong'",
        "name must be at most 24 characters, it has 25",
        "at most 5 of type global, not 6",
        "must each have a callback_id of their own",
    ):
        assert problem in str(caught.value)


def test_every_problem_is_listed(raw: Any) -> None:
    raw["features"]["slash_commands"] = [{"command": "/" + "x" * 32}, {"command": "agentpod", "description": "d"}]
    raw["settings"]["event_subscriptions"]["bot_events"] += ["message.channels", "sunrise"]
    with pytest.raises(manifests.ManifestError) as caught:
        manifests.parse(raw)
    for problem in (
        "command must be at most 32 characters, it has 33",
        "description must be a text",
        "command 'agentpod' must be / and",
        "event message.channels needs the scope channels:history",
        "event 'sunrise' is not known here",
    ):
        assert problem in str(caught.value)


def test_an_invalid_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text("- a list")
    with pytest.raises(manifests.ManifestError, match=r"manifest\.yaml must be a mapping"):
        manifests.load(path)
    path.write_text("a: [")
    with pytest.raises(manifests.ManifestError, match="is not YAML"):
        manifests.load(path)
