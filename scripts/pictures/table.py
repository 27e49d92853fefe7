"""All pictures in docs/images, in the order of docs/gallery.md."""

from __future__ import annotations

from scripts.pictures import table_of_alerts, table_of_answers, table_of_help, table_of_requests
from scripts.pictures.shot import Shot

GROUPS = (
    *table_of_answers.GROUPS,
    *table_of_requests.GROUPS,
    *table_of_alerts.GROUPS,
    *table_of_help.GROUPS,
)
SHOTS: tuple[Shot, ...] = tuple(shot for group in GROUPS for shot in group.shots)
