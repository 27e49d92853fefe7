"""One picture: what it shows, how wide and in which theme, and the words that it must show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "images"


@dataclass(frozen=True)
class View:
    """A window's width and theme."""

    width: int
    theme: str

    @property
    def is_phone(self) -> bool:
        """Whether it is as narrow as a phone."""
        return self.width < 700


PHONE_DARK, PHONE_LIGHT = View(390, "dark"), View(390, "light")
DESKTOP_DARK, DESKTOP_LIGHT = View(1280, "dark"), View(1280, "light")


@dataclass(frozen=True)
class Shot:
    """A picture of one state."""

    name: str
    """The file's name without its ending."""
    scene: str
    """The scene in which the state occurs (`scripts.pictures.scenes`)."""
    view: View
    caption: str
    alt: str
    """What is seen, for those who can't see it."""
    says: str
    """Words of the first line, which must name the cause."""
    shows: tuple[str, ...] = ()
    """Words that must be visible anywhere."""

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return FOLDER / f"{self.name}.png"


@dataclass(frozen=True)
class Group:
    """Pictures that answer one question."""

    title: str
    shots: tuple[Shot, ...]
