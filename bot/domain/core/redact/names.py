"""Find secrets by the name they are assigned to: ``DB_PASS=…``, ``"token": "…"``, ``<password>…``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from bot.domain.core.redact import looks
from bot.domain.core.redact.engine import MatchFinder, Span, finder
from bot.domain.core.redact.image_tags import end_of_tag
from bot.domain.core.redact.public_keys import PublicKeys
from bot.domain.core.redact.vocabulary import (
    ABOUT,
    COUNTED,
    KEYED,
    NAMING,
    NO_PASSWORDS,
    OPEN_KEYS,
    PASSWORDS,
    SECRETS,
    STATES,
    WEAKLY,
)

_STRONG = (
    r"pass(?:words?|wd|wort|[ _\-]?phrases?|code|key|s)?|pwd|pw|secrets?|tokens?|credentials?|creds?|jwt|psk"
    r"|contraseña|kennwort"
    r"|(?:api|access|account|auth|encryption|master|private|shared|sign(?:ing)?|secret|client|admin|user|root|service|app"
    r"|deploy|license|write|read|ingest(?:ion)?|storage|integration|webhook|management|consumer|session|bot|personal|hmac"
    r"|crypto|cipher|symmetric|aes|rsa|ssh|gpg|pgp|tls|ssl|key|vault|wallet|publish|upload|security|primary|secondary"
    r"|subscription|instrumentation|functions?|host|connection|recovery|unlock|seed|backup|refresh|id|csrf|xsrf"
    r"|team|verification|activation|one.time)"
    r"[ _.\-]?(?:keys?(?:data|material|base|string)?|pass|pw|tokens?|secrets?|phrase|codes?)"
)
_WEAK = (
    r"key|auth(?:entication|orization|z|n)?|cookies?|session|sess|sid|sig|signature|otp|totp|mfa|pin|salt|hmac|dsn"
    r"|webhook|licen[cs]e|bearer|nonce|mnemonic|seed|code|pat|login"
)
_TAIL = (
    r"(?:[ _\-.]?(?:value|hash|b64|base64|base|data|string|str|text|plain|raw|enc|encoded|new|old|current|prod|dev"
    r"|test|staging|live|main|default|primary|secondary|backup|\d{1,3})){0,2}"
)
_SEPARATOR = (
    r"""(?:(?:\\{0,7}["'`]\]?|\])?[ \t]*"""
    r"""(?::[ \t]?&?(?:\'static )?(?:str|string|bytes)[ \t]?=|:=|=>|==|->|→|[:=]|%3[AaDd]|[(\[])[ \t]*"""
    r"""(?:[|>][+-]?\n[ \t]{1,60}|!!?\w{0,10}[ \t]+"""  # a block in YAML, a type
    r"""|(?:Some|Just|Secret)\(|\n?[ \t]{0,20}string\(\d{1,6}\)[ \t])?"""  # in Rust, in PHP
    r"""|\\{0,3}["'];s:\d{1,6}:"""  # PHP once more
    r"""|(?:\\{0,3}["'])?>(?:</key>[ \t]{0,4}<string>)?|</key>[ \t\n]{0,40}<string>"""  # XML, property lists
    r"""|\\{0,3}["']?,?[ \t\n]{1,60}(?:- )?\\{0,3}["']?val(?:ue)?\\{0,3}["']?[ \t]{0,4}[:=]"""
    r"""[ \t]{0,4}"""  # a name, and its value beside it
    r"""|\\{0,3}["'],\\{0,3}["']val(?:ue)?\\{0,3}["'][ \t]{0,4}[:=][ \t]{0,4}"""
    r"""|["'][ \t]?,[ \t]?)"""  # two arguments
)
_VALUE = re.compile(
    rb"""\\{1,7}["'][^"'\\\n]*(?:\\{1,7}["'])?"""  # JSON inside JSON
    rb"""|"{3}[^"\n]+"{0,3}|'{3}[^'\n]+'{0,3}"""
    rb"""|(?:[bBuUrRfFnN]{1,2})?"(?:[^"\\\n]|\\.)*"?"""
    rb"""|(?:[bBuUrRfFnN]{1,2})?'(?:[^'\\\n]|\\.)*'?"""
    rb"""|`[^`\n]*`?"""
    rb"""|([^\s"'`<&]+)"""  # without quotes
)
_QUOTE = re.compile(rb"""(?:\\+|[bBuUrRfFnN]{1,2})?["'`]""")
JUDGED = 256
"""Bytes of a value that are judged."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_OTHERS = re.compile(rb".*[^\w.\-]", re.DOTALL)
_ABOUT = re.compile(rb"(?:checksum/|:secretsmanager:[\w\-]{0,30}:\d{0,12}:)\Z")
"""Text before a name that shows the value is no secret: the hash annotation of a pod template, an AWS secret's
ARN."""
_MISSING = re.compile(rb"(?:non-?existent|missing|unknown|no such|find|no) \Z")
"""Text before ``secret key`` that shows what follows is the key's name in a Secret."""
_COUNT = re.compile(rb"\d{1,9} (?:bytes|checks|tests|passed|of|files|rows|tokens)\b")
_IN_OBJECT = re.compile(rb":[ ]?\\{0,7}[\"']\Z")
_KEY_ENDS = re.compile(rb"[\"'][ ]?:[ ]?[\\\"'{\[]")
"""What stands before a name and at the next string's end in an object, where the name is a value and the string a
key: ``"app": "token", "name": "…"``."""
LONGEST_NAME = 48
"""Most bytes before the matched word that belong to the name."""
_PATH = re.compile(r"(?:\.{0,2}|~)/?[\w.@-]+(?:/[\w.@-]*)+")
_KEBAB = re.compile(r"[a-z]+\d?(?:[-./][a-z]+\d?)+|[a-z]+")
_SIGNS = frozenset("!@#$^*+=~&%")
_HOLDER = re.compile(
    r"\$\{?[\w.:\-]+\}?|\$\(.*|%\(?\w+\)?%?s?|\{\{.*|<[^>]*>|\(\w+\)|\[\w+\]|[*xX•.\-_#?]+|\*+\S{0,4}"
    r"|\w+\((?!.*\w[$#!~^]).*"
    r"|\((?:sensitive|known|none|not|no|hidden|unset|empty)|process\.env.*|os\.environ.*|vault:.*|op://.*|[{\[(|>]+[-+]?"
)
"""Stand-ins for a value: a variable, a template, stars, a call."""
_CUT = re.compile(r"""[;,][ ]?[\w .\-]{1,40}[=:]|\\[nrt"']|["'`]""")
_ENDS = ",;)}]>.\"'\\"
_ENDING = frozenset(_ENDS.encode())
_OPENS = {")": "(", "}": "{", "]": "["}


def named_spans(data: bytes, keys: PublicKeys) -> Iterator[Span]:
    """Yield the spans of secret values after a name and a separator.

    A value that is no secret is searched for further names.
    """
    find = _assignments().first
    position = 0
    while (found := find(data, position))[0] >= 0:
        first = found[0]
        last, position = _separator(data, *found)
        name = _start_of_name(data, first)
        promise = _promised(data[name:last])
        if promise is None:
            continue
        if first and data[first - 1] in b"/:" and _ABOUT.search(data, max(0, first - 120), first):
            continue
        if data[position - 1] in b"ADad":  # of %3A or %3D
            position += 3 * data.startswith(b"%20", position)
        end = _end_of_value(data, position)
        if end - position < promise.least or _COUNT.match(data, position):
            continue
        if _counts(promise, data[last:position], data[position : min(end, position + JUDGED)]):
            if end >= position + JUDGED - 8:
                end = _whole(data, position)
            separator = data[last:position]
            if separator.rstrip().endswith(b",") and _is_key(data, name, end):
                continue
            no_value = _end_without_value(data, last, separator, promise, keys)
            if not no_value and not _names_a_key(data, first):
                yield position, end
            position = max(position, no_value or end)


def _names_a_key(data: bytes, first: int) -> bool:
    """Whether the name at ``first`` introduces a key's name in a Secret: ``non-existent secret key: tls.key``."""
    is_key = data[first : first + 10].lower() == b"secret key"
    return is_key and _MISSING.search(data, max(0, first - 16), first) is not None


def _is_key(data: bytes, name: int, end: int) -> bool:
    """Whether the string that ends here, after a name and a comma, is an object's next key."""
    return (
        _KEY_ENDS.match(data, end - 1) is not None and _IN_OBJECT.search(data, max(0, name - 10), name) is not None
    )


def _end_without_value(data: bytes, position: int, separator: bytes, promise: _Promise, keys: PublicKeys) -> int:
    """The end of what follows a separator that assigns nothing: of an image's tag, or of a public key; else 0."""
    if separator == b":":
        return end_of_tag(data, position, password=promise.is_typed)
    return keys.end_of_padding(position) if separator.startswith(b"=") else 0


@cache
def _assignments() -> MatchFinder:
    # Without groups: finding their positions takes RE2 longer than finding the match.
    after = rf"{_TAIL}[\w\-]{{0,32}}{_SEPARATOR}"
    weak = rf"(?:{_WEAK}){after}(?:\d{{4}}|[\"'`\\]{{0,4}}[^\s\"'`]{{12}})"
    return finder(rf"(?:(?:{_STRONG}){after}|{weak})", ignore_case=True, captures=False)


_NAME = re.compile(rb"[\w .\-]*\w")
_NAME_AND_SEPARATOR = re.compile(rb"(?>" + _NAME.pattern + rb")(" + _SEPARATOR.encode() + rb")", re.IGNORECASE)
_IN_NAMES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


def _separator(data: bytes, first: int, end: int) -> Span:
    """The span of the separator after the name at ``first``: outside of quotes it has no letters."""
    if match := _NAME_AND_SEPARATOR.match(data, first):
        return match.span(1)
    name = _NAME.match(data, first, end)
    return name.end() if name else end, end


def _start_of_name(data: bytes, first: int) -> int:
    """The start of the name that contains the word at ``first``."""
    if first == 0 or data[first - 1] not in _IN_NAMES:
        return first
    start = max(0, first - LONGEST_NAME)
    before = _OTHERS.match(data, start, first)
    return before.end() if before else start


def _end_of_value(data: bytes, start: int) -> int:
    """The end of the value, without what follows it; ``start`` for an empty one."""
    match = _VALUE.match(data, start, start + JUDGED)
    if match is None:
        return start
    found = match.group()
    if match.lastindex is None:
        quote = _QUOTE.match(found)
        inside = len(found) - (quote.end() if quote else 0) - (found[-1] in b"\"'`")
        return match.end() if inside > 0 else start
    cuts = b"," in found or b";" in found or b"\\" in found
    if not cuts and found[-1] not in _ENDING:
        return match.end()  # the usual case: nothing to cut
    kept = found.decode("utf-8", "replace")
    if cuts and (cut := _CUT.search(kept)):
        kept = kept[: cut.start()]
    while kept and kept[-1] in _ENDS and _OPENS.get(kept[-1], "\n") not in kept:
        kept = kept[:-1]
    return start + len(kept.encode())


def _whole(data: bytes, start: int) -> int:
    """The end of a value that is longer than the part that was judged."""
    match = _VALUE.match(data, start)
    return match.end() if match else start


def is_said(text: str) -> bool:
    """Whether it is an actual value: no state such as ``missing``, no variable, no stars, no path."""
    return (
        bool(text)
        and text.casefold().strip(".,:;!?") not in STATES
        and _HOLDER.fullmatch(text) is None
        and not _is_path(text)
    )


def is_odd(text: str) -> bool:
    """Whether it is no ordinary word: there are digits, capitals or signs among its letters."""
    if len(text) < 6 or not is_said(text):
        return False
    letters = list(filter(str.isalpha, text))
    mixed = any(map(str.isdigit, text)) or not _SIGNS.isdisjoint(text)
    return bool(letters) and (
        mixed or (len(text) >= 8 and any(map(str.isupper, letters[1:])) and not text.isupper())
    )


_TYPED = frozenset(("code", "codes", "otp", "totp", "mfa", "pin", "psk", "login", "phrase", "mnemonic", "seed"))


@dataclass(frozen=True, slots=True)
class _Promise:
    """How strongly a name suggests a secret. ``about``: it names only a property of one (its length, file)."""

    name: str
    kind: str
    words: tuple[str, ...]
    about: bool
    least: int
    """Bytes; a shorter value is no secret."""

    @property
    def is_typed(self) -> bool:
        """Whether people choose or type the value: it may be short, a date or a number."""
        return self.kind == "password" or not _TYPED.isdisjoint(self.words)


def _counts(promise: _Promise, separator: bytes, value: bytes) -> bool:
    """Whether the value after such a name is a secret."""
    kind, words, about = promise.kind, promise.words, promise.about
    if kind == "strong" and len(value) < 6 and value.isdigit():
        return False
    text = value.decode("utf-8", "replace").strip("\\\"'`")
    # Cheap checks first: most names in a log suggest little, and most values are short.
    if about:
        if not looks.is_random(text, 20):
            return False
    elif kind == "weak":
        if not _weak(words, text):
            return False
    elif kind == "strong" and looks.is_number(text) and not _is_code(words, text):
        return False
    if not is_said(text):
        return False
    quoted = value[:1] in b"\"'`\\" or value[1:2] in b"\"'"
    sign = separator.strip()
    if sign.endswith(b",") and not (
        quoted and is_odd(text) and looks.changes(text) > 0.3 and not looks.is_camel(text)
    ):
        return False
    if (sign == b"(" and not quoted) or (sign == b"[" and not is_odd(text)):
        return False
    if kind == "password" and not about:
        if words == ("pass",) and _is_result(text):
            return False
        return not (promise.name in ("PWD", "OLDPWD") and text.startswith("/"))
    loose = b": " in separator or separator == b":"
    return about or kind == "weak" or _strong(words, text, quoted=quoted, loose=loose)


_TEST = re.compile(
    r"(?:Test|Example|Fuzz|Benchmark|test_)\w*(?:/.*)?|[\w.\-/]+\.[a-z]{1,5}|[\w.\-]+(?:::[\w.\-]+)+"
)


def _is_result(text: str) -> bool:
    """Whether a test runner writes this after ``pass``: a count, or a test's name or file."""
    return (text.isdigit() and len(text) < 6) or _TEST.fullmatch(text) is not None


@lru_cache(4096)
def _promised(written: bytes) -> _Promise | None:
    """Judge a name; None where it suggests no secret."""
    name = written.decode("utf-8", "replace")
    words = tuple(w.casefold() for w in _WORD.findall(name))
    kind = _kind(words, name) if words else ""
    if not kind:
        return None
    about = words[-1] in ABOUT or (len(words) > 1 and words[0] in ("no", "is", "has", "use", "with"))
    if about and words[-1] in NAMING:
        return None
    return _Promise(name, kind, words, about, 20 if about else _least(words) if kind == "weak" else 1)


_CODES = ("backup", "recovery", "verification", "access", "security", "unlock", "activation", "mfa", "otp", "time")


def _kind(words: Sequence[str], name: str) -> str:
    """How strongly a name suggests a secret: ``password``, ``strong``, ``weak`` or empty.

    Whole words count; a word that only contains one (``bypass``, ``author``) suggests nothing.
    """
    joined = "".join(words)
    if any(w in PASSWORDS or w.endswith(("password", "passwd", "passphrase", "passwort")) for w in words):
        return "password"
    if words[-1] not in NO_PASSWORDS and words[-1].endswith(("pass", "pw")) and len(words[-1]) > 4:
        return "password"
    if words[-1] in ("pass", "pw", "pwd") or words[-2:-1] in (("pass",), ("pw",)):
        return "password" if len(words) > 1 or name.isupper() or name.islower() else "weak"
    if any(w in SECRETS or w.endswith(("token", "secret", "apikey", "secretkey")) for w in words):
        return "strong"
    if words[-1] in ("code", "codes") and words[-2:-1] and words[-2] in _CODES:
        return "strong"
    if re.search(
        r"(?:licen[cs]e|app|application|consumer|deploy|team|webhook|hmac|api|access|auth|encryption|master|private|shared|signing|secret|client|account|storage)keys?",
        joined,
    ):
        return "strong"
    if any(w in WEAKLY or w in KEYED for w in words):
        return "weak"
    return ""


def _is_code(words: Sequence[str], number: str) -> bool:
    """Whether a number is too long for a count, and its name is no counter."""
    counted = words[-1] in ("tokens", "creds", "secrets", "credentials") or words[0] in COUNTED
    return not counted and len(number) >= 6 and number.isdigit()


def _strong(words: Sequence[str], text: str, *, quoted: bool, loose: bool) -> bool:
    if looks.is_number(text):
        return _is_code(words, text)
    if loose and not quoted and _KEBAB.fullmatch(text):
        return False  # a word on its state, or the name of a Secret
    return not (words[-1] in ("secret", "secrets") and _KEBAB.fullmatch(text) and "-" in text and not quoted)


_SHORT = ("pin", "otp", "totp", "mfa")
_LOGINS = ("auth", "authentication", "authorization", "login")


def _weak(words: Sequence[str], text: str) -> bool:
    last = words[-1]
    if (
        last == "key"
        and len(words) > 1
        and words[-2] not in OPEN_KEYS
        and (looks.is_hex(text) or looks.is_uuid(text))
    ):
        return len(text) >= 32
    if last in _SHORT:
        return text.isdigit() and 4 <= len(text) <= 8
    if last in ("dsn", "webhook"):
        return "://" in text and (looks.is_random(re.split(r"[/@]+", text)[-1], 16) or "@" in text)
    if last in _LOGINS:
        return looks.is_pair(text) or looks.is_random(text, 16) or (looks.is_hex(text) and len(text) >= 32)
    if last in ("salt", "sig", "signature", "hmac") and looks.is_hex(text):
        return len(text) >= 32
    if last == "pass":
        return any(c.isdigit() for c in text) and not looks.is_number(text)
    return looks.is_random(text, 12 if words[0] == "x" else 16)  # a custom header: X-Gotify-Key


def _least(words: Sequence[str]) -> int:
    """Fewest characters that `_weak` accepts."""
    if words[-1] in (*_SHORT, "dsn", "webhook", "pass", *_LOGINS):
        return 1
    return 12 if words[0] == "x" else 16


def _is_path(text: str) -> bool:
    """Whether it is a path of words. One with a random last part may be base64 that contains a slash."""
    return (
        text[:1] in "/.~"
        and _PATH.fullmatch(text) is not None
        and not looks.is_random(text.rpartition("/")[2], 20)
    )
