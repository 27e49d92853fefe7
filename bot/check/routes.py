"""The route of each connection: directly or through which proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.check.report import Check, Impact, failed
from bot.domain.core import proxies
from bot.errors import AgentpodError
from bot.settings.model import Settings
from bot.wiring.outbox import CALLED

NEEDS = "slack.api_url pushgateway.url bridge.url heartbeat.dead_man_url ledger.anchor"
"""The settings that are judged."""


def addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    """(name, URL) of every server in the settings that the bot connects to, except the API server."""
    yield "Slack", settings.slack.api_url
    if settings.pushgateway.url:
        yield "the Pushgateway", settings.pushgateway.url
    for sink in CALLED:
        if sink.on_network and (url := sink.address(settings)):
            yield sink.called, url


def routes_of(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    """The route of each connection: directly or through which proxy, and why."""
    for what, url in addresses(settings):
        try:
            yield Check(f"Route to {what}", True, str(proxies.choose(url, environment)))
        except AgentpodError as error:
            yield failed(f"Route to {what}", error, Impact.START)


def bad_proxies(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """What is wrong with the proxies of the settings' connections, without duplicates."""
    wrong = [f"{c.detail} {c.remedy or ''}".strip() for c in routes_of(settings, environment) if not c.ok]
    return list(dict.fromkeys(wrong))
