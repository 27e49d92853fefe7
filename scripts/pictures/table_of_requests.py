"""The pictures of repairs: how they are asked for, decided, carried out and recorded."""

from __future__ import annotations

from scripts.pictures.shot import DESKTOP_DARK, DESKTOP_LIGHT, PHONE_DARK, PHONE_LIGHT, Group, Shot

ASKED = Group(
    "How do I get it repaired?",
    (
        Shot(
            "restart-form",
            "requests",
            PHONE_LIGHT,
            "The form of `restart`",
            "A form that asks for the reason, with a button to ask",
            "replaced by a new one",
        ),
        Shot(
            "receipt",
            "requests",
            DESKTOP_LIGHT,
            "The answer to who asked",
            "The request waits for an approver, with a link to its card and a button to withdraw it",
            "waits for an approver",
        ),
        Shot(
            "card-open",
            "requests",
            DESKTOP_DARK,
            "The card, before anybody decided",
            "What the restart ends, who asked and why, how long it will take, and the buttons",
            "needs approval",
        ),
        Shot(
            "approver-message",
            "requests",
            PHONE_DARK,
            "The direct message to an approver",
            "Who asks for what and why, with Approve and Deny",
            "needs approval",
            ("Approve", "Deny"),
        ),
        Shot(
            "reminder",
            "reminded",
            PHONE_LIGHT,
            "The reminder in the card's thread",
            "The request expires soon, and which approvers can decide",
            "expires in",
        ),
        Shot(
            "refused-by-policy",
            "requests",
            PHONE_DARK,
            "Refused by an admission policy",
            "Nobody is asked, since the policy would refuse it: which policy, and how to make it anew",
            "admission policy",
            ("Nobody is asked",),
        ),
        Shot(
            "refused-by-api-server",
            "requests",
            DESKTOP_LIGHT,
            "Refused by the API server",
            "Nobody is asked, since the account lacks a right: which one, and how to grant it",
            "may not patch",
            ("Nobody is asked",),
        ),
    ),
)
ENDED = Group(
    "What became of a request?",
    (
        Shot(
            "card-under-way",
            "under way",
            PHONE_DARK,
            "Under way",
            "The restart is under way: what happens now, and who approved it",
            "under way",
        ),
        Shot(
            "card-succeeded",
            "requests",
            PHONE_LIGHT,
            "Succeeded",
            "Restarted, ready after some seconds, who asked and who approved",
            "Restarted",
        ),
        Shot(
            "card-failed",
            "requests",
            DESKTOP_DARK,
            "Failed",
            "Nothing was changed: which right was missing, and how to grant it",
            "may not patch",
        ),
        Shot("card-denied", "requests", DESKTOP_DARK, "Denied", "Who denied it, with the reason", "denied"),
        Shot(
            "card-expired",
            "expired",
            PHONE_DARK,
            "Expired",
            "Nobody decided in time, with the button Ask again",
            "expired",
        ),
        Shot(
            "card-void",
            "changed",
            DESKTOP_LIGHT,
            "Void",
            "The image was changed after the request, with the button Ask again",
            "image",
        ),
        Shot("card-withdrawn", "requests", PHONE_LIGHT, "Withdrawn", "Who withdrew it", "withdrawn"),
        Shot(
            "card-break-glass",
            "requests",
            DESKTOP_DARK,
            "Break-glass",
            "Restarted, and who skipped the approval, with the reason",
            "Restarted",
            ("The site is down",),
        ),
        Shot(
            "changes",
            "changed",
            PHONE_DARK,
            "`changes`",
            "What changed about the pod, and what people did, each with its record",
            "change",
            ("image of kali: ",),
        ),
        Shot(
            "audit",
            "requests",
            DESKTOP_LIGHT,
            "`audit`",
            "The audit trail: who asked, decided and was refused, newest first",
            "records",
        ),
    ),
)
GROUPS = (ASKED, ENDED)
