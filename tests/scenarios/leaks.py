"""Realistic secret values, and a search for them, in any encoding, in everything that the bot put out."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import json
import re
import sqlite3
import string
import urllib.parse
from collections.abc import Callable, Iterable, Iterator

import aiohttp
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import strategies as st

from tests.scenarios.talk import World

MARK = re.compile(r"[0-9a-f]{16}")
"""A marker in each line of a value. JSON, URLs, HTML, YAML and SQL don't escape its characters, so it is found in
whatever encoding a value gets, and in a part of a value."""
SHORTEST = 8
"""The fewest characters of a part that is searched for: shorter ones occur by chance."""


def mark(number: int) -> str:
    """The marker of a number; it is unique."""
    return hashlib.sha256(b"%d" % number).hexdigest()[:16]


def private_key(number: int) -> str:
    """A complete private key in its file format."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % number).digest())
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def random_key(number: int) -> str:
    """A random key, without any marker."""
    return base64.urlsafe_b64encode(hashlib.sha512(b"%d" % number).digest()).decode()


NUMBERS = st.integers(0, 2**64 - 1)
MARKS = NUMBERS.map(mark)
SHAPES = (
    "ghp_",
    "github_pat_11",
    "xoxb-1234567890-",
    "xapp-1-A0-",
    "glpat-",
    "sk-ant-api03-",
    "eyJhbGciOi.",
)
"""Prefixes of tokens that are recognised by their format."""
NEARLY = (
    "ghp-",
    "gh p_",
    "xoxb_",
    "sk_",
    "AKIA",
    "eyK.",
    "token=",
    "password: ",
    "--token ",
    "Bearer ",
    "-----BEGIN ",
)
ESCAPED = (
    '{"a": "',
    "'; DROP TABLE cases; --",
    "%(x)s %s %",
    "\\u0041\\n\\",
    "&lt;<!channel>&amp;",
    "{0} {x!r} }",
    "- !!null | ",
    '"""',
    "%41%00%",
    "$(id) `id`",
    "\x1b[31m",
    "<https://x.example|",
)
ALPHABET = string.ascii_letters + string.digits + string.punctuation + " \t üß€漢🙈\u200f"
LETTERS = st.text(st.sampled_from(ALPHABET), max_size=30)


def _around(left: st.SearchStrategy[str], right: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(left, MARKS, right).map("".join)


LINES = st.lists(_around(LETTERS, LETTERS), min_size=1, max_size=3)
VALUES = st.one_of(
    _around(st.sampled_from(SHAPES), st.just("")),
    _around(st.sampled_from(NEARLY), LETTERS),
    _around(st.sampled_from(ESCAPED), st.sampled_from(ESCAPED)),
    LINES.map("\n".join),
    LINES.map("\r\n".join),
    NUMBERS.map(random_key),
    NUMBERS.map(private_key),
)
HARD = (
    f"ghp_{mark(1)}",
    f'{{"a": "{mark(2)}\\u0041\\"}}',
    f"'; DROP TABLE cases; -- %s{mark(3)}&<!channel>",
    f"first {mark(4)}\nsecond ü“{mark(5)}”\r\n%41{mark(6)}",
    random_key(7),
    private_key(8),
)
"""Hard values, one of each kind."""


def traces(secret: str) -> set[str]:
    """Every form that a leaked value, or a line of it, could take: escaped and encoded in any way."""
    found = marks(secret)
    for part in _parts(secret):
        found |= {part[::-1], part.encode().hex(), *_base64(part.encode())}
        if not MARK.search(part):
            found |= {html.escape(part), repr(part)[1:-1], json.dumps(part)[1:-1]}
            found |= {urllib.parse.quote(part), urllib.parse.quote_plus(part)}
    return found


def marks(secret: str) -> set[str]:
    """The parts of a value that survive nearly every encoding, and truncation."""
    return {one for part in _parts(secret) for one in MARK.findall(part) or _pieces(part)}


def _pieces(part: str) -> list[str]:
    """Pieces of 16 characters of a part without a marker, except uniform ones (zeros in base64)."""
    pieces = [part[start : start + 16] for start in range(0, max(1, len(part) - 15), 16)]
    return [piece for piece in pieces if len(set(piece)) > SHORTEST]


def _parts(secret: str) -> Iterator[str]:
    """The value and each of its lines, except the first and last line of every private key."""
    for part in {secret, *secret.splitlines()}:
        shown = part.strip()
        if len(shown) >= SHORTEST and ("\n" in shown or not shown.endswith(" KEY-----")):
            yield shown


def _base64(data: bytes) -> Iterator[str]:
    """The base64 forms of the data, also inside something longer, for each of the three alignments."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(data)) // 3 * 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + data).decode()[skipped:whole]


async def everything(world: World) -> dict[str, str]:
    """Everything that the bot put out: Slack calls, its processes' output, the ledger's files, its endpoints."""
    folder, record = world.sandbox.folder, world.workspace.record
    assert len(record.calls) < (record.calls.maxlen or 0), "the oldest calls are forgotten"
    return {
        "calls of Slack": "\n".join(json.dumps([c.method, c.args], ensure_ascii=False) for c in record.calls),
        "acknowledgements": "\n".join(json.dumps(e.ack, ensure_ascii=False) for e in record.envelopes if e.ack),
        "the log": "\n".join(f.read_text("utf-8", "replace") for f in folder.glob("*.log")),
        "the database": "\n".join(f.read_bytes().decode("utf-8", "replace") for f in folder.glob("agentpod.db*")),
        **{path: await _page(world, path) for path in ("/metrics", "/readyz")},
    }


def _shorten(world: World) -> None:
    """Truncate the database's write-ahead log, whose content has been searched already."""
    with contextlib.closing(sqlite3.connect(world.sandbox.folder / "agentpod.db")) as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _page(world: World, path: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(world.bot.ops_url + path) as response:
        return await response.text()


async def found(
    world: World, secrets: Iterable[str], by: Callable[[str], set[str]] = traces
) -> list[tuple[str, str]]:
    """The places in which any of the values was found."""
    where = await everything(world)
    _shorten(world)
    looked_for = [(secret, by(secret)) for secret in secrets]
    return [(name, s) for name, text in where.items() for s, of in looked_for if any(t in text for t in of)]
