"""The pictures of what a newcomer meets: the welcome, help, refusals, forms and menus."""

from __future__ import annotations

from scripts.pictures.shot import DESKTOP_DARK, DESKTOP_LIGHT, PHONE_DARK, PHONE_LIGHT, Group, Shot

HELP = Group(
    "What may I do here?",
    (
        Shot(
            "welcome",
            "page",
            PHONE_DARK,
            "The first message",
            "A welcome: what the bot is for, what you may do, and three buttons",
            "I'm agentpod",
        ),
        Shot("help", "healthy", DESKTOP_LIGHT, "`help`", "The commands that you may run, by group", "You may run"),
        Shot(
            "whoami",
            "healthy",
            PHONE_LIGHT,
            "`whoami`",
            "Your role, the rule that gives it, and what it allows",
            "You are an operator",
        ),
        Shot(
            "refused",
            "healthy",
            PHONE_DARK,
            "Refused, with the rule",
            "Sam may not run status: which role is required, and whom to ask",
            "You may not run",
        ),
        Shot(
            "usage",
            "healthy",
            DESKTOP_DARK,
            "A wrong argument",
            "What is wrong with the argument, and the usage of this command",
            "takes a whole number",
            ("Usage",),
        ),
        Shot(
            "preferences",
            "quiet hours",
            PHONE_LIGHT,
            "`preferences`",
            "Which alerts come by direct message, the quiet hours, and a button to change them",
            "Your preferences",
        ),
        Shot(
            "message-menu",
            "alerts",
            DESKTOP_LIGHT,
            "The menu of a message",
            "An alert and its menu with the app's shortcuts",
            "session-manager",
            ("Acknowledge",),
        ),
        Shot(
            "workflow-step",
            "page",
            DESKTOP_LIGHT,
            "A step of a workflow",
            "The form of the step that asks for a restart",
            "Workflow:",
        ),
        Shot(
            "tour",
            "page",
            PHONE_LIGHT,
            "The sandbox's tour",
            "The tour's first step above the messages",
            "Tour, step",
        ),
    ),
)
GROUPS = (HELP,)
