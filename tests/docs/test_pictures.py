"""The pictures in docs/images: each is made by the tables in scripts/pictures, and shown with words for it."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain

from PIL import Image

from scripts.pictures.camera import MOST_BYTES, SCALE, WIDEST
from scripts.pictures.scenes import SCENES
from scripts.pictures.shot import FOLDER, View
from scripts.pictures.table import SHOTS
from tests.docs.blocks import PAGES

REFERENCE = re.compile(r"!\[([^\]]*)\]\(((?:docs/)?images/[^)]+)\)")
STATES = 40


def _references() -> list[tuple[str, str]]:
    """The alternative text and the file's name of each picture that a page shows."""
    found = chain.from_iterable(REFERENCE.findall(page.read_text("utf-8")) for page in PAGES)
    return [(alt, link.rpartition("/")[2]) for alt, link in found]


def test_the_folder_has_the_pictures_of_the_table_and_no_other() -> None:
    assert sorted(file.name for file in FOLDER.iterdir()) == sorted(shot.file.name for shot in SHOTS)


def test_every_picture_is_shown_and_said_in_words() -> None:
    references = _references()
    assert {name for _, name in references} == {shot.file.name for shot in SHOTS}
    assert [name for alt, name in references if len(alt.split()) < 2] == []


def test_no_page_shows_a_picture_in_another_way() -> None:
    """Each link to the folder is one that this test reads."""
    for page in PAGES:
        text = page.read_text("utf-8")
        assert text.count("images/") - text.count("docs/images`") == len(REFERENCE.findall(text)), page.name


def test_there_are_enough_states_in_each_width_and_theme() -> None:
    assert len({shot.name for shot in SHOTS}) == len(SHOTS) >= STATES
    views = Counter(shot.view for shot in SHOTS)
    for view in (View(w, t) for w in (390, 1280) for t in ("dark", "light")):
        assert views[view] >= len(SHOTS) / 5, views


def test_every_picture_belongs_to_a_scene() -> None:
    assert {shot.scene for shot in SHOTS} == {scene.name for scene in SCENES}


def test_every_picture_is_small() -> None:
    for shot in SHOTS:
        assert shot.file.stat().st_size < MOST_BYTES, shot.name
        with Image.open(shot.file) as picture:
            assert picture.width <= SCALE * max(shot.view.width, WIDEST), shot.name
