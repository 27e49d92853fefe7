"""Links to other tools and to runbooks: what the settings may name, and their URLs for one message. Pure.

A URL may hold placeholders such as ``{job}``. What is filled in is percent-encoded, so that it stays one part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from bot.domain.core.reply import Link

MAX_URL = 1_000
"""Longest URL in the settings, in characters."""
LONGEST_SHOWN = 3_000
"""Longest URL that Slack takes for a button."""
OF_TARGET = ("target", "namespace", "deployment")
"""The placeholders that every URL may hold."""
Place = Literal["alert", "status", "diagnose", "home"]
"""Where a link is shown."""
PLACES: tuple[Place, ...] = ("alert", "status", "diagnose", "home")

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SECRET_NAMES = re.compile(
    r"(^|[-_.\[])(pass(word|wd)?|pwd|secret|token|api[-_]?key|access[-_]?key|auth|credentials?|sig|signature|jwt"
    r"|session([-_]?id)?|sid|^code)(\[[^\]]*\]|\])*$",
    re.IGNORECASE,
)
"""Names of parameters whose values are credentials, also in a list or a mapping: ``token[]``, ``user[token]``."""


def url_problem(url: str, names: Collection[str] = (), *, allow_http: bool = False) -> str:
    """Why a URL can't be a link's; empty if it can. It quotes nothing of the URL that may be a credential.

    ``names`` are the placeholders that it may hold besides those of the target.
    """
    if len(url) > MAX_URL:
        return f"this URL has {len(url):,} characters; at most {MAX_URL:,} are taken"
    if not url.isascii() or not url.isprintable() or re.search(r'[\s<>"|\\^`]', url):
        return "this URL has a character that must be percent-encoded, such as %20 for a blank"
    parts = _split(url)
    if parts is None or not url.startswith(("https://", "http://")) or not parts.hostname:
        return "this is not a valid URL: write it as https://HOST/PATH"
    if parts.scheme == "http" and not allow_http:
        return "this URL begins with http://, which anybody on the way can read and change: use https://"
    if _has_credentials(parts):
        return "this URL holds a credential, which everybody who sees the link would have: leave it out"
    return _placeholder_problem(parts, (*OF_TARGET, *names))


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number, or too large
    except ValueError:
        return None
    return parts


def _has_credentials(parts: SplitResult) -> bool:
    if "@" in parts.netloc:
        return True
    given = [*parse_qsl(parts.query), *parse_qsl(parts.fragment.rpartition("?")[2])]
    if any(_SECRET_NAMES.search(name) for name, value in given if value):
        return True
    from bot.domain.core.outside import (
        Outside,
    )  # its patterns take a while to compile, and few settings have links

    url = _PLACEHOLDER.sub("x", parts.geturl())
    return any(Outside().text(form) != form for form in (url, unquote(url)))


def _placeholder_problem(parts: SplitResult, names: Collection[str]) -> str:
    if "{" in parts.netloc or "}" in parts.netloc:
        return "this URL has a placeholder in its host: only the path, the query and the fragment can have one"
    rest = parts._replace(scheme="", netloc="").geturl()
    for name in _PLACEHOLDER.findall(rest):
        if name not in names:
            known = ", ".join(f"{{{one}}}" for one in names)
            return f"this URL has an unknown placeholder; known here: {known}"
    if "{" in _PLACEHOLDER.sub("", rest) or "}" in _PLACEHOLDER.sub("", rest):
        return "this URL has a brace that belongs to no placeholder: write %7B and %7D for braces"
    return ""


def _checked(*names: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value and (problem := url_problem(value, names)):
            raise ValueError(problem)
        return value

    return check


AlertRunbookUrl = Annotated[str, AfterValidator(_checked("kind"))]
"""The URL of a page on what to do about alerts of a kind, or empty."""
JobRunbookUrl = Annotated[str, AfterValidator(_checked("kind", "job"))]
CheckRunbookUrl = Annotated[str, AfterValidator(_checked("kind", "check"))]
DiagnosisRunbookUrl = Annotated[str, AfterValidator(_checked("diagnosis"))]


def _visible(name: str) -> str:
    if not name.isprintable():
        raise ValueError("it has a control or an invisible character: leave it out")
    return name


class LinkSetting(BaseModel):
    """A link to another tool, shown as a button: Argo CD, Grafana, VibeKanban."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f`]*$"), AfterValidator(_visible)
    ] = Field(min_length=1, max_length=30)
    """The button's label."""
    allow_http: bool = False
    """Whether its URL may begin with http://, for a tool that has no TLS."""
    url: str
    """Where it leads, with https://. ``{target}``, ``{namespace}`` and ``{deployment}`` stand for the target's."""
    show_on: tuple[Place, ...] = Field(default=PLACES, min_length=1)
    """Where it is shown: ``alert`` (and its incident), ``status``, ``diagnose``, ``home`` (the Home tab)."""

    @field_validator("url")
    @classmethod
    def _usable(cls, value: str, info: ValidationInfo) -> str:
        allowed = bool(info.data.get("allow_http"))
        if problem := url_problem(value, allow_http=allowed):
            more = "" if allowed or not value.startswith("http://") else ", or set allow_http: true"
            raise ValueError(problem + more)
        return value


def filled(url: str, values: Mapping[str, str]) -> str:
    """Return the URL with its placeholders replaced by ``values``, percent-encoded."""
    return _PLACEHOLDER.sub(lambda found: quote(values.get(found[1], ""), safe=""), url)


def shown(links: Collection[Link]) -> list[Link]:
    """Return the links whose URLs are still URLs, after redaction, and short enough for Slack; each URL once."""
    found: dict[str, Link] = {}
    for link in links:
        if link.url.startswith(("https://", "http://")) and len(link.url) <= LONGEST_SHOWN and _is_whole(link.url):
            found.setdefault(link.url, link)
    return list(found.values())


def _is_whole(url: str) -> bool:
    from bot.domain.core.redact.words import PLACEHOLDER

    return PLACEHOLDER not in url and url.isascii() and url.isprintable() and " " not in url
