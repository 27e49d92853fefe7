"""What is wrong with a message: over Slack's limits, raw ids, times in UTC only, sentences that are hard to read.

A finding names its text with numbers and ids replaced, so that it stays the same from run to run. `KNOWN` lists
the findings that are accepted for now: the list may only get shorter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.slack import blocks
from sandbox.slack.errors import SlackError
from sandbox.slack.model import File
from tests.messages.example import Example
from tests.messages.texts import CODE, Json, Text, headline, texts

KNOWN = Path(__file__).parent / "known.txt"
MOST_WORDS = 25
"""Words of a sentence: longer ones need a second reading."""
MOST_TEXT = 4_000
"""Characters of the text for notifications and old clients; Slack advises no more."""
_LETTERS = re.compile(r"[^\W\d_]{2,}")
SHORTEST = 4
"""Words from which on the same sentence twice is a repetition, and not a label."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with an example."""

    rule: str
    example: str
    text: str

    @property
    def key(self) -> str:
        """What `KNOWN` lists: the rule and the text, without what differs from run to run."""
        return f"{self.rule}\t{normal(self.text)}"

    def __str__(self) -> str:
        """The finding in a line."""
        return f"[{self.rule}] {self.example}: {self.text}"


def check(example: Example) -> list[Finding]:
    """All findings about an example."""
    found = []
    for message in example.messages:
        for rule, judge in RULES.items():
            found += [Finding(rule, example.name, text) for text in judge(message)]
    return found


# Slack's limits


def over_limits(message: Json) -> Iterator[str]:
    """What Slack would refuse, by the sandbox's own checks of blocks and views."""
    view = message.get("type") in ("modal", "home")
    try:
        if view:
            blocks.view(dict(message), _file)
        else:
            blocks.message_blocks(message["blocks"], _file)
    except SlackError as error:
        yield from error.messages or [error.word]
    if view:
        return
    if not message["text"].strip():
        yield "no text for notifications and screen readers"
    if len(message["text"]) > MOST_TEXT:
        yield f"the text for notifications has {len(message['text'])} characters"


def _file(id_: str) -> File | None:
    return File(id_, "picture.png", 1, 0, "U0", completed=True, ready=True) if id_.startswith("F") else None


# Names and times

_IDS = (
    re.compile(r"\b[UWCSGDBT]0[0-9A-Z]{7,}\b"),
    re.compile(r"<[@#!][^>]*>|&lt;[@#!]"),
    re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
    re.compile(r"\b(?:[0-9a-f]{40}|[0-9a-f]{64})\b"),
)
_IDS_WANTED = ("User: ", "Channel: ", "Digest of the last: ", "Ran before: ")
"""Facts that are there for their id: to copy it into the settings, or to keep it elsewhere."""


def raw_ids(message: Json) -> Iterator[str]:
    """Ids of Slack, uids and whole digests, where a name or a short form would do."""
    for text in texts(message):
        if text.part != "output" and not text.text.startswith(_IDS_WANTED):
            yield from [text.text] if any(pattern.search(text.text) for pattern in _IDS) else []


_UTC = re.compile(r"(?:[\w:]+ )?(?:\d{4}-\d{2}-\d{2} )?\b\d{1,2}:\d{2}(?::\d{2})? UTC\b")

_DIGEST = re.compile(r"\b\d\d:\d\d to \w{3} \d\d \w{3} \d\d:\d\d, \w")
"""A digest's window. Its times are in its own zone, which its picture has, and not in each reader's."""
_WITHOUT_DATES = ("output", "button", "confirm", "label", "alt")
"""Parts that Slack shows as plain text, and what programs printed."""


def utc_only(message: Json) -> Iterator[str]:
    """Times in UTC alone, with the word before them: Slack can show them in the reader's own zone."""
    found = texts(message)
    if any(_DIGEST.search(text.text) for text in found):
        return
    for text in found:
        if text.part not in _WITHOUT_DATES:
            yield from _UTC.findall(text.text)


# Language

_END = re.compile(r"(?<=[.!?…])[)”\"]?\s+(?=[^a-z\d\s])|\n|\s·\s|\s?•\s")
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"")
_LIST = re.compile(r"(?:[^,;:.()]{1,48}, ){4,}")
_WORD = re.compile(r"[^\W_]")


def sentences(text: str) -> list[str]:
    """The sentences of a text; points between facts end one as well."""
    return [part.strip() for part in _END.split(text) if part and part.strip()]


def word_count(sentence: str) -> int:
    """The words of a sentence; a quotation, a piece of code and a long list count as one each."""
    plain = _LIST.sub("list, ", _QUOTED.sub("quotation", sentence.replace(CODE, "code")))
    return sum(bool(_WORD.search(word)) for word in plain.split())


def long_sentences(message: Json) -> Iterator[str]:
    """Sentences of the bot's own with more than 25 words."""
    for text in _spoken(message):
        yield from (s for s in sentences(text.text) if word_count(s) > MOST_WORDS)


FORBIDDEN = (
    r"counts? for nothing",
    r"nothing is known",
    r"\bhear (?:anybody|nothing|from me)\b",
    r"\bstill so\b",
    r"\btakes? care of\b",
    r"\bas whom\b",
    r"\bwho may:",
    r"\byou are \w+ by\b",
    r"killed for its memory",
    r"\bfrom who asked\b",
    r"\bonly who asked\b",
    r"\bis void, since\b|: void, since\b",
    r"\bgood but for\b",
    r"\b(?:is|was|are|were|be|been|nobody) told\b",
    r"\bowed?\b|\bowes\b",
    r"\bdoings\b|\bhousekeeping\b|\bcourier\b|\bthe desk\b",
    r"\bin trouble\b",
    r"\bblind\b",
    r"\bput back\b|\bputs back\b",
    r"\bgo(?:es)? ahead alone|\bwent ahead alone",
    r"\bwait -n\b",
)
"""Words of `STYLE`'s left column, which readers have to think about: say the standard ones."""
FORBIDDEN_WORDS = re.compile("|".join(FORBIDDEN), re.IGNORECASE)


def forbidden_words(message: Json) -> Iterator[str]:
    """Sentences with private words, or with words that read like a translation."""
    for text in texts(message):
        if text.part != "output":
            yield from (s for s in sentences(text.text) if FORBIDDEN_WORDS.search(s))


_SENTENCE = re.compile(r"[a-z]+ [a-z]+ ")


def small_capitals(message: Json) -> Iterator[str]:
    """Small print whose sentence begins in lower case; ids and names of targets may begin it."""
    yield from (t.text for t in texts(message) if t.part == "note" and _SENTENCE.match(t.text))


def said_twice(message: Json) -> Iterator[str]:
    """Sentences that a message has twice."""
    # A dialog says again what the message says: it stands before it.
    spoken = [_bare(s) for text in _spoken(message) if text.part != "confirm" for s in sentences(text.text)]
    counted = Counter(s for s in spoken if len(_LETTERS.findall(s)) >= SHORTEST)
    yield from (sentence for sentence, times in counted.items() if times > 1)


def _bare(sentence: str) -> str:
    """A sentence without its sign, its label and its full stop, to compare it."""
    return re.sub(r"^\W+|^[A-Z][\w ]{2,24}: |[.!?]$", "", sentence).strip()


_SYMPTOM = re.compile(
    r"CreateContainer(?:Config)?Error|ErrImagePull|ImagePullBackOff|CrashLoopBackOff|ContainerCreating"
    r"|\bis not ready\b|\bkeeps restarting\b|\bPending\b"
)
_CAUSE = re.compile(
    r"(?:secret|configmap|persistentvolumeclaim) \"[^\"]+\" not found|manifest unknown|OOMKilled|Insufficient \w+"
    r"|no space left on device|Multi-Attach error|Download failed|couldn't find key|: not found",
    re.IGNORECASE,
)


def symptom_first(message: Json) -> Iterator[str]:
    """A first line that says the symptom, where the message itself has the cause further down."""
    first = headline(message)
    below = "\n".join(text.text for text in texts(message) if text.part != "headline")
    if _SYMPTOM.search(first) and _CAUSE.search(below):
        yield first


_NOTHING_AFTER = re.compile(r": $|: ?[.;·]|\(\)|“”")


def left_empty(message: Json) -> Iterator[str]:
    """Texts that announce something and then say nothing: after a colon, in brackets or in quotation marks."""
    yield from (t.text for t in _spoken(message) if _NOTHING_AFTER.search(t.text) and CODE not in t.text)


_DOUBLE = re.compile(
    r"\b(\w[\w ]{2,30}?)(?:e?s)?: \1(?:e?s)?(?::| (?:is|are|was|were|has|have|with)\b)", re.IGNORECASE
)


def label_twice(message: Json) -> Iterator[str]:
    """A label that what follows it begins with again: "Process: processes: …"."""
    yield from (t.text for t in texts(message) if t.part != "output" and _DOUBLE.search(t.text))


def _spoken(message: Json) -> list[Text]:
    return [text for text in texts(message) if text.spoken]


RULES: dict[str, Callable[[Json], Iterator[str]]] = {
    "limit": over_limits,
    "id": raw_ids,
    "utc": utc_only,
    "long": long_sentences,
    "word": forbidden_words,
    "capital": small_capitals,
    "twice": said_twice,
    "symptom": symptom_first,
    "empty": left_empty,
    "double": label_twice,
}
"""The rules by the name that findings give them."""

# What is accepted for now

_VARIES = (
    (re.compile(r"\b[ri]-[0-9a-z]{7,8}\b"), "ID"),
    (re.compile(r"\bSHA256:\S+"), "FINGERPRINT"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "DIGEST"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "#"),
    (
        re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"),
        "DAY",
    ),
)


def normal(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, name in _VARIES:
        text = pattern.sub(name, text)
    return " ".join(text.split())


def known() -> frozenset[str]:
    """The keys of the findings that are accepted for now."""
    lines = KNOWN.read_text("utf-8").splitlines() if KNOWN.exists() else []
    return frozenset(line for line in lines if line and not line.startswith("#"))


HEAD = "# Findings about messages that are accepted for now: see rules.py beside it. Only ever remove lines.\n"


def write_known(keys: frozenset[str]) -> None:
    """Keep these findings as accepted."""
    KNOWN.write_text(HEAD + "".join(f"{key}\n" for key in sorted(keys)), encoding="utf-8")
