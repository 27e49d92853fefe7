"""Whole answers, recorded once: what a fault's answer says must stay, word for word, when its texts move."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
_LETTERS = "[0-9bcdfghjklmnpqrstvwxz]"
"""What Kubernetes makes the random parts of names of."""
_PLAIN = (
    (rf"secure-agent-pod-{_LETTERS}{{8,10}}-[0-9a-z]{{5}}(?![0-9a-z])", "POD"),
    (rf"secure-agent-pod-{_LETTERS}{{1,10}}(?:-[0-9a-z]{{0,4}})?…", "POD…"),
    (rf"\bsecure-agent-pod-{_LETTERS}{{8,10}}\b", "REPLICASET"),
    (r"\b[0-9]{5,}\b", "NUMBER"),
    (r"\bline [0-9]+\b", "line N"),
    (r"took .*", "took TIME"),
    (r"/\S+/kubeconfig", "KUBECONFIG"),
    (r"127\.0\.0\.1:[0-9]+", "HOST:PORT"),
    (r"\b[0-9]+ (?:d|h|min|s)\b(?: [0-9]+ (?:h|min|s)\b)?", "AGE"),
    (r"\bjust now\b|\bAGE ago\b|\bin AGE\b", "AGE"),
    (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]?[0-9:.]*(?: UTC|Z)?", "DATE"),
    (r" on (?:[A-Z][a-z]{2} )?[0-9]{1,2} [A-Z][a-z]{2}\b", ""),
    (r"\b[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?: UTC)?\b", "TIME"),
    (r"\bpid [0-9]+", "pid N"),
    (r"\breq-[0-9a-f]+", "req-ID"),
)


def plain(text: str) -> str:
    """The text without what differs from run to run: names of pods, ages, times, ports and process ids."""
    for pattern, name in _PLAIN:
        text = re.sub(pattern, name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def recorded(name: str, text: str) -> str:
    """The recorded answer of that name. The first time the text is recorded; look at it, and commit it."""
    file = FOLDER / f"{name}.txt"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(plain(text), encoding="utf-8")
    return file.read_text("utf-8")
