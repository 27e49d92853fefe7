"""Links in the settings: what is taken, what is refused without quoting a credential, what is filled in."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.domain.core.links import LONGEST_SHOWN, LinkSetting, filled, shown, url_problem
from bot.domain.core.redact.words import PLACEHOLDER
from bot.domain.core.reply import Link
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.incidents import runbook_urls, sources
from bot.domain.incidents.runbook_urls import RunbookUrls

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    "url",
    [
        "https://argocd.example.com/applications/argocd/{target}",
        "https://grafana.example.com/d/f2b6c1d0a7e34c55b9/pod?orgId=1&var-namespace={namespace}&from=now-6h",
        "https://wiki.example.com:8443/pages#{deployment}",
        "https://[fd00::1]/x",
        "https://example.com",
        "https://example.com/?country_code=DE&sort=code&decoded=1%2F2&session_view=x",
    ],
)
def test_usual_urls_are_taken(url: str) -> None:
    assert not url_problem(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://grafana.lan/", "use https://"),
        ("grafana.example.com/d/1", "write it as https://HOST/PATH"),
        ("javascript:alert(1)", "write it as https://HOST/PATH"),
        ("ftp://example.com/x", "write it as https://HOST/PATH"),
        ("https:///path", "write it as https://HOST/PATH"),
        ("https://example.com:99999/", "write it as https://HOST/PATH"),
        ("https://[::1/", "write it as https://HOST/PATH"),
        (f"https://admin:{SECRET}@grafana.example.com/", "holds a credential"),
        ("https://admin@grafana.example.com/", "holds a credential"),
        (f"https://example.com/?token={SECRET}", "holds a credential"),
        (f"https://example.com/?a=1&X-Amz-Signature={SECRET}", "holds a credential"),
        (f"https://example.com/#/login?access_token={SECRET}", "holds a credential"),
        (f"https://example.com/?token%5B%5D={SECRET}", "holds a credential"),
        (f"https://example.com/?user[token]={SECRET}", "holds a credential"),
        ("https://example.com/?session=ab12", "holds a credential"),
        ("https://example.com/?PHP_SESSION_ID=ab12", "holds a credential"),
        ("https://example.com/?code=abc", "holds a credential"),
        ("https://example.com/?next=https%3A%2F%2Fadmin%3Ahunter2hunter2%40db%2F", "holds a credential"),
        ("HTTPS://example.com/x", "write it as https://HOST/PATH"),
        ("https://example.com/ghp_abcdefghijklmnopqrstuvwxyz0123456789", "holds a credential"),
        ("https://example.com/a b", "percent-encoded"),
        ("https://example.com/ä", "percent-encoded"),
        ("https://example.com/<!channel>", "percent-encoded"),
        ("https://example.com/a\nb", "percent-encoded"),
        ("https://{target}.example.com/", "in its host"),
        ("https://example.com/{job}", "unknown placeholder; known here: {target}, {namespace}, {deployment}"),
        ("https://example.com/{target", "brace"),
        ("https://example.com/" + "a" * 1_000, "1,020 characters"),
    ],
)
def test_what_is_no_link_is_refused_with_the_reason(url: str, why: str) -> None:
    problem = url_problem(url)
    assert why in problem
    assert SECRET not in problem


@pytest.mark.parametrize("name", ["\u202eabc", "a\u200bb", "\u200b", "a\u2066b", "a\x00b"])
def test_a_name_with_an_invisible_character_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        LinkSetting(name=name, url="https://example.com/")


@pytest.mark.parametrize("name", ["Argo CD", "Übersicht", "監視", "\u26a0\ufe0f Grafana"])
def test_a_name_in_any_script_is_taken(name: str) -> None:
    assert LinkSetting(name=name, url="https://example.com/").name == name


def test_http_needs_its_own_word() -> None:
    with pytest.raises(ValidationError, match="or set allow_http: true"):
        LinkSetting(name="Kanban", url="http://kanban.lan/")
    assert LinkSetting(name="Kanban", url="http://kanban.lan/", allow_http=True).show_on == (
        "alert",
        "status",
        "diagnose",
        "home",
    )


@pytest.mark.parametrize("name", ["", "x" * 31, "two\nlines", "`code`"])
def test_a_label_is_one_short_line(name: str) -> None:
    with pytest.raises(ValidationError):
        LinkSetting(name=name, url="https://example.com/")


def test_links_of_a_target_are_few_and_differ() -> None:
    one = {"url": "https://example.com/"}
    with pytest.raises(ValidationError, match="link 'Grafana' is listed twice"):
        Target.model_validate({"links": [{"name": "Grafana", **one}] * 2})
    with pytest.raises(ValidationError, match="at most 8"):
        Target.model_validate({"links": [{"name": str(n), **one} for n in range(9)]})


@given(st.text(max_size=50))
def test_what_is_filled_in_stays_one_part_of_the_url(job: str) -> None:
    url = filled("https://example.com/jobs/{job}/runbook?job={job}#end", {"job": job})
    parts = urlsplit(url)
    assert (parts.netloc, parts.path.count("/"), parts.fragment) == ("example.com", 3, "end")
    assert unquote(parts.path.split("/")[2]) == job
    assert parse_qs(parts.query, keep_blank_values=True)["job"] == [job]


def test_a_value_is_not_searched_for_placeholders() -> None:
    assert filled("https://example.com/{job}", {"job": "{target}", "target": "x"}).endswith("/%7Btarget%7D")


def test_only_whole_urls_are_shown_and_each_once() -> None:
    good = Link("Grafana", "https://example.com/")
    cut = Link("Cut", f"https://example.com/{PLACEHOLDER}")
    long = Link("Long", "https://example.com/" + "a" * LONGEST_SHOWN)
    assert shown([cut, good, Link("Again", good.url), long, Link("Odd", "javascript:alert(1)")]) == [good]


def test_each_source_of_problems_has_a_setting_for_its_runbook() -> None:
    kinds = {runbook_urls.kind(source.name) for source in sources.BUILTIN}
    assert kinds | {"default"} == set(RunbookUrls.model_fields)


def test_a_kind_without_a_url_has_the_default() -> None:
    urls = RunbookUrls(default="https://example.com/all", cluster="https://example.com/api")
    assert urls.of("source:cluster") == "https://example.com/api"
    assert urls.of("pod") == urls.of("from-a-plugin") == urls.of("copy") == "https://example.com/all"


def test_a_runbook_url_does_not_change_how_a_job_is_judged() -> None:
    plain = HeartbeatPolicy.model_validate({"job": "backup", "stale_after": "3h"})
    linked = HeartbeatPolicy.model_validate(
        {"job": "backup", "stale_after": "3h", "runbook_url": "https://example.com/{job}"}
    )
    assert plain.fingerprint == linked.fingerprint
