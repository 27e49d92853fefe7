"""Which connection uses which proxy, compared with Go's own implementation (``go_proxies/``)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.domain.core import proxies
from bot.errors import Permanent

GO = json.loads((Path(__file__).parent / "go_proxies" / "table.json").read_text(encoding="utf-8"))
PROXY = {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://p:1"}


@pytest.mark.parametrize("no_proxy", GO["proxied"])
def test_no_proxy_is_read_as_by_go(no_proxy: str) -> None:
    environment = {**PROXY, "NO_PROXY": no_proxy}
    found = [proxies.choose(address, environment).proxy for address in GO["addresses"]]
    assert "".join("p" if proxy else "-" for proxy in found) == GO["proxied"][no_proxy]


def test_the_proxy_is_the_same_as_go_s() -> None:
    for row in GO["proxies"]:
        proxy = proxies.choose(row["address"], row["environment"]).proxy
        asked = row["proxy"].rstrip("/")
        assert asked in (
            "" if proxy is None else proxy.url,
            "" if proxy is None else proxy.url.removesuffix(":80"),
        )


@pytest.mark.parametrize(
    ("environment", "url", "said"),
    [
        ({}, "https://slack.com/api/", "direct (no proxy is set)"),
        ({"HTTPS_PROXY": "http://p:3128"}, "https://slack.com/", "through http://p:3128 (HTTPS_PROXY)"),
        ({"https_proxy": "p:3128"}, "wss://wss.slack.com/", "through http://p:3128 (https_proxy)"),
        ({"http_proxy": "http://p:3128"}, "ws://slack.local/", "through http://p:3128 (http_proxy)"),
        ({"HTTP_PROXY": "http://p:3128"}, "https://slack.com/", "direct (no proxy is set)"),
        ({"ALL_PROXY": "socks5://p"}, "https://slack.com/", "through socks5://p:1080 (ALL_PROXY)"),
        ({"all_proxy": "socks5h://p:9"}, "http://slack.com/", "through socks5h://p:9 (all_proxy)"),
        ({"ALL_PROXY": "a", "HTTPS_PROXY": "b"}, "https://slack.com/", "through http://b:80 (HTTPS_PROXY)"),
        ({"ALL_PROXY": "a", "NO_PROXY": "10.0.0.0/8"}, "https://10.9.8.7/", "direct (NO_PROXY has 10.0.0.0/8)"),
        ({"ALL_PROXY": "a", "no_proxy": "x y,.svc"}, "http://pg.svc:9091/", "direct (no_proxy has .svc)"),
        (
            {"ALL_PROXY": "a", "NO_PROXY": "[2001:db8::1]"},
            "https://[2001:DB8::1]/",
            "direct (NO_PROXY has [2001:db8::1])",
        ),
        ({"ALL_PROXY": "a"}, "https://LOCALHOST:6443/", "direct (it is this machine)"),
        ({"ALL_PROXY": "ftp://a"}, "http://127.0.0.1:9091", "direct (it is this machine)"),
        ({"ALL_PROXY": "a"}, "https://host:port/", "direct (it is not a URL)"),
        (
            {"HTTPS_PROXY": "https://[2001:db8::9]"},
            "https://s/",
            "through https://[2001:db8::9]:443 (HTTPS_PROXY)",
        ),
    ],
)
def test_a_route_describes_itself_with_its_reason(environment: dict[str, str], url: str, said: str) -> None:
    assert str(proxies.choose(url, environment)) == said


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("ftp://me:hunter2@p:1", "its scheme is ftp"),
        ("socks4://me:hunter2@p:1", "its scheme is socks4"),
        ("http://me:hunter2@:1", "it names no host"),
        ("http://me:hunter2@p:notaport", "it is not a URL"),
        ("http://me:hunter2@p:99999", "it is not a URL"),
        ("http://[me:hunter2", "it is not a URL"),
        ("http://me:hunter2/x@p:1", "it is not a URL"),
        ("http://p roxy:1", "it has a space or a control character"),
        ("http://", "it names no host"),
        ("://p:1", "its scheme is empty"),
        ("hunter2://p:1", "its scheme is not known"),
    ],
)
def test_an_invalid_proxy_is_refused_without_quoting_it(value: str, why: str) -> None:
    with pytest.raises(Permanent) as caught:
        proxies.choose("https://slack.com", {"HTTPS_PROXY": value})
    assert caught.value.message == f"HTTPS_PROXY is not the address of a proxy: {why}."
    assert "http://host:port" in (caught.value.remedy or "")
    assert "hunter2" not in f"{caught.value} {caught.value.remedy}"


def test_user_and_password_are_kept_and_not_shown() -> None:
    environment = {"HTTPS_PROXY": "http://me%40corp:p%C3%A4ss%3A@proxy:3128/"}
    route = proxies.choose("https://slack.com", environment)
    assert route.proxy is not None
    assert (route.proxy.user, route.proxy.password) == ("me@corp", "päss:")
    assert route.proxy.url == "http://me%40corp:p%C3%A4ss%3A@proxy:3128"
    for shown in (str(route), repr(route), route.proxy.shown):
        assert "corp" not in shown
        assert "ss" not in shown
    assert proxies.passwords(environment) == {"päss:", "p%C3%A4ss%3A"}
