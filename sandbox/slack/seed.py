"""The workspace's initial content: members and channels, with the ids that tests refer to."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.slack.model import Channel, User, UserGroup

TEAM_ID = "T07SANDBOX1"
TEAM_NAME = "Harbor Labs"
TEAM_DOMAIN = "harbor-labs"
APP_ID = "A07AGENTPOD"
BOT_ID = "B07AGENTPOD"
BOT_USER = "U07AGENTPOD"

MAYA = "U07MAYA0001"
JONAS = "U07JONAS002"
PRIYA = "U07PRIYA003"
SAM = "U07SAM00004"
HUMANS = (MAYA, JONAS, PRIYA, SAM)
LENA = "U08LENA0005"
"""From another company, which shares the channel `SHARED` by Slack Connect."""
GIL = "U07GIL00006"
"""A guest."""
VISITORS = (LENA, GIL)
RELAY = "U07RELAY007"
"""Another app's bot user."""
RELAY_BOT = "B07RELAY007"
PARTNER_TEAM = "T08PARTNER1"

ONCALL = "S07ONCALL01"

OPS = "C07OPSPOD01"
GENERAL = "C07GENERAL2"
RANDOM = "C07RANDOM03"
PRIVATE = "C07PRIVATE4"
SHARED = "C07SHARED05"

DM_MAYA = "D07MAYA0001"
DM_JONAS = "D07JONAS002"
DM_PRIYA = "D07PRIYA003"
DM_SAM = "D07SAM00004"
DM_LENA = "D08LENA0005"
DM_GIL = "D07GIL00006"
DMS = {MAYA: DM_MAYA, JONAS: DM_JONAS, PRIYA: DM_PRIYA, SAM: DM_SAM, LENA: DM_LENA, GIL: DM_GIL}

DEFAULT_CHANNEL = OPS


@dataclass(frozen=True)
class Seed:
    """Fresh objects for one workspace; nothing is shared between two of them."""

    users: list[User]
    channels: list[Channel]
    groups: list[UserGroup]


def default_seed(bot_name: str = "agentpod") -> Seed:
    """The team that every sandbox starts with."""
    return Seed(_users(bot_name), _channels(), [UserGroup(ONCALL, "oncall", "On-call", [MAYA, JONAS])])


def _users(bot_name: str) -> list[User]:
    return [
        User(MAYA, "maya", "Maya Lindqvist", color="#2563eb", note="on-call: viewer, operator"),
        User(JONAS, "jonas", "Jonas Weber", color="#0f766e", note="approver, on-call"),
        User(
            PRIYA,
            "priya",
            "Priya Raman",
            color="#c026d3",
            note="owner, approver",
            is_admin=True,
            is_owner=True,
            timezone="Asia/Kolkata",
        ),
        User(SAM, "sam", "Sam Okafor", color="#b45309", note="not listed: no role", timezone="America/New_York"),
        User(LENA, "lena", "Lena Fischer", color="#64748b", note="of another company", team=PARTNER_TEAM),
        User(GIL, "gil", "Gil Moreau", color="#4d7c0f", note="a guest", is_restricted=True),
        User(BOT_USER, bot_name, bot_name, color="#1f2a44", note="the app", is_bot=True),
        User(RELAY, "relay", "Relay", color="#475569", note="another app", is_bot=True),
    ]


def _channels() -> list[Channel]:
    everyone = [*HUMANS, BOT_USER]
    channels = [
        Channel(OPS, "ops-agent-pod", members=list(everyone), topic="The agent pod: alerts, approvals, digest"),
        Channel(GENERAL, "general", members=list(everyone), topic="Company-wide", is_general=True),
        Channel(RANDOM, "random", members=list(HUMANS), topic="The app is not a member here"),
        Channel(PRIVATE, "pod-owners", members=[PRIYA, JONAS], topic="Owners only", is_private=True),
        Channel(SHARED, "ext-partner", members=[*everyone, *VISITORS, RELAY], topic="Shared with another company"),
    ]
    return channels + [Channel(DMS[human], "", members=[human, BOT_USER], is_im=True, user=human) for human in DMS]
