"""The page docs/gallery.md: all pictures, by what they answer. `scripts/reference.py` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.pictures.shot import Group, Shot
from scripts.pictures.table import GROUPS

INTRO = (
    "What the bot says in Slack, as the sandbox's page shows it: on a phone and on a desktop, dark and light. The "
    "answers are the real bot's. `make screenshots` takes all pictures anew."
)


def gallery_page(made: str) -> str:
    """The page's text; ``made`` says where it comes from."""
    return "\n".join(["# Gallery", made, INTRO, *(line for group in GROUPS for line in _group(group))]) + "\n"


def _group(group: Group) -> Iterator[str]:
    """A phone's pictures two by two, then a desktop's."""
    yield from ("", f"## {group.title}")
    phone = [shot for shot in group.shots if shot.view.is_phone]
    for first in range(0, len(phone), 2):
        yield from _table(phone[first : first + 2])
    for shot in group.shots:
        if not shot.view.is_phone:
            yield from ("", f"{shot.caption}:", "", _image(shot))


def _table(shots: Sequence[Shot]) -> Iterator[str]:
    yield from ("", _row([shot.caption for shot in shots]), _row(["---"] * len(shots)))
    yield _row([_image(shot) for shot in shots])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _image(shot: Shot) -> str:
    return f"![{shot.alt}](images/{shot.file.name})"
