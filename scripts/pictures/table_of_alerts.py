"""The pictures of alerts, incidents and the digest."""

from __future__ import annotations

from scripts.pictures.shot import DESKTOP_DARK, DESKTOP_LIGHT, PHONE_DARK, PHONE_LIGHT, Group, Shot

ALERTS = Group(
    "What raised the alarm?",
    (
        Shot(
            "alert-firing",
            "alerts",
            PHONE_DARK,
            "An alert",
            "No heartbeat since when, the rule, and the buttons Acknowledge, Diagnose, Ask for a restart, Snooze",
            "no heartbeat since",
            ("Acknowledge", "Snooze"),
        ),
        Shot(
            "alert-acknowledged",
            "alerts",
            DESKTOP_LIGHT,
            "Acknowledged",
            "The same alert, with who acknowledged it",
            "no heartbeat since",
            ("Maya",),
        ),
        Shot(
            "alert-snoozed",
            "alerts",
            PHONE_LIGHT,
            "Snoozed",
            "The same alert, with until when it is quiet, and who said so",
            "no heartbeat since",
        ),
        Shot(
            "alert-resolved",
            "alerts",
            DESKTOP_LIGHT,
            "Over",
            "The same message: heartbeats again, after how long, and who acknowledged it",
            "sends heartbeats again",
        ),
        Shot(
            "alert-message",
            "alerts",
            PHONE_DARK,
            "The alert as a direct message",
            "The alert in direct messages, with a link to the channel's",
            "no heartbeat since",
        ),
        Shot(
            "quiet-hours",
            "quiet hours",
            PHONE_LIGHT,
            "The summary after quiet hours",
            "What was held back in the quiet hours, and how it ended",
            "quiet hours",
        ),
    ),
)
PAST = Group(
    "What happened?",
    (
        Shot(
            "incidents",
            "alerts",
            DESKTOP_DARK,
            "`incidents`",
            "The open incident, with its cause, since when, and buttons",
            "CRITICAL session-manager: no heartbeat",
            ("session-manager",),
        ),
        Shot(
            "report",
            "alerts",
            DESKTOP_LIGHT,
            "`report`: one incident",
            "What happened in order, each line with its record, and the whole as a file",
            "session-manager",
        ),
        Shot(
            "digest-good",
            "good day",
            PHONE_LIGHT,
            "The digest of a good day",
            "All good, and a picture of the day with a lane for each job",
            "good",
        ),
        Shot(
            "digest-bad",
            "bad day",
            DESKTOP_DARK,
            "The digest of a bad day",
            "What was down and late, worst first, and a picture of the day",
            "session-manager",
        ),
    ),
)
GROUPS = (ALERTS, PAST)
