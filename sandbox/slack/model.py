"""The objects of a workspace, in Slack's wire format and in the page's format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class User:
    """A member: a person or the app's bot user."""

    id: str
    name: str
    real_name: str
    color: str = "#666666"
    note: str = ""
    is_bot: bool = False
    is_admin: bool = False
    is_owner: bool = False
    is_restricted: bool = False
    """A guest; with ``is_ultra_restricted`` one of a single channel."""
    is_ultra_restricted: bool = False
    deleted: bool = False
    """Deactivated: they can do nothing more, but a request made just before may still be in flight."""
    team: str = ""
    """The other company's team id; empty for the workspace's own members."""
    timezone: str = "Europe/Berlin"

    def team_id(self, own: str) -> str:
        """The id of the user's team; ``own`` is the workspace's id."""
        return self.team or own

    def wire(self, own: str) -> Json:
        """The ``user`` object of users.info, in the workspace ``own``."""
        team_id = self.team_id(own)
        return {
            "id": self.id,
            "team_id": team_id,
            "name": self.name,
            "deleted": self.deleted,
            "color": self.color.lstrip("#"),
            "real_name": self.real_name,
            "tz": self.timezone,
            "profile": {
                "real_name": self.real_name,
                "real_name_normalized": self.real_name,
                "display_name": self.name,
                "display_name_normalized": self.name,
                "team": team_id,
            },
            "is_admin": self.is_admin,
            "is_owner": self.is_owner,
            "is_primary_owner": self.is_owner,
            "is_restricted": self.is_restricted or self.is_ultra_restricted,
            "is_ultra_restricted": self.is_ultra_restricted,
            **({"is_stranger": True} if self.team else {}),
            "is_bot": self.is_bot,
            "is_app_user": False,
            "updated": 0,
        }

    def page(self) -> Json:
        """The user in the format of PAGE_API.md."""
        return {
            "id": self.id,
            "name": self.name,
            "real_name": self.real_name,
            "is_bot": self.is_bot,
            "color": self.color,
            "note": self.note,
            "tz": self.timezone,
        }


@dataclass(slots=True)
class UserGroup:
    """A user group such as @oncall."""

    id: str
    handle: str
    name: str
    users: list[str]

    def wire(self, team_id: str, *, with_users: bool, with_count: bool) -> Json:
        """The ``usergroup`` object of usergroups.list."""
        group: Json = {
            "id": self.id,
            "team_id": team_id,
            "is_usergroup": True,
            "name": self.name,
            "handle": self.handle,
            "description": "",
            "is_external": False,
            "date_delete": 0,
            "prefs": {"channels": [], "groups": []},
        }
        if with_users:
            group["users"] = list(self.users)
        if with_count:
            group["user_count"] = str(len(self.users))
        return group


@dataclass(slots=True)
class Channel:
    """A public or private channel, or a direct message between ``user`` and the app."""

    id: str
    name: str
    members: list[str]
    topic: str = ""
    is_private: bool = False
    is_im: bool = False
    is_archived: bool = False
    is_general: bool = False
    user: str | None = None

    @property
    def scope_family(self) -> str:
        """The scope family that applies to it: ``channels``, ``groups`` or ``im``."""
        if self.is_im:
            return "im"
        return "groups" if self.is_private else "channels"

    @property
    def command_name(self) -> str:
        """The ``channel_name`` in a slash command's payload."""
        if self.is_im:
            return "directmessage"
        return "privategroup" if self.is_private else self.name

    def wire(self, bot_user: str) -> Json:
        """The ``channel`` object of conversations.info, as the bot sees it."""
        common = {"id": self.id, "created": 0, "is_archived": self.is_archived, "is_org_shared": False}
        if self.is_im:
            return {**common, "is_im": True, "user": self.user, "is_user_deleted": False, "priority": 0}
        return {
            **common,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_im": False,
            "is_mpim": False,
            "is_private": self.is_private,
            "is_general": self.is_general,
            "is_shared": False,
            "is_ext_shared": False,
            "is_member": bot_user in self.members,
            "num_members": len(self.members),
            "topic": {"value": self.topic, "creator": "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
        }

    def page(self) -> Json:
        """The channel in the format of PAGE_API.md."""
        return {
            "id": self.id,
            "name": self.name,
            "is_private": self.is_private,
            "is_im": self.is_im,
            "user": self.user,
            "topic": self.topic,
            "members": list(self.members),
        }


@dataclass(slots=True)
class File:
    """An upload; ``ready`` once Slack's asynchronous processing has finished."""

    id: str
    name: str
    length: int
    created: int
    user: str
    title: str = ""
    alt_txt: str = ""
    mimetype: str = "application/octet-stream"
    filetype: str = "binary"
    content: bytes | None = None
    completed: bool = False
    ready: bool = False
    shares: dict[str, str] = field(default_factory=dict)
    """channel id → ts of the message it was shared with"""

    @property
    def is_image(self) -> bool:
        """Whether an image block may refer to it."""
        return self.mimetype in {"image/png", "image/jpeg", "image/gif"}

    @property
    def preview(self) -> str:
        """The first lines of a text file; empty for others."""
        if self.content is None or not self.mimetype.startswith("text/"):
            return ""
        return "\n".join(self.content[:4000].decode("utf-8", "replace").splitlines()[:12])

    def wire(self, base_url: str, team_id: str) -> Json:
        """The ``file`` object; fields that processing produces are absent before it is done."""
        wire: Json = {
            "id": self.id,
            "created": self.created,
            "timestamp": self.created,
            "name": self.name,
            "title": self.title or self.name,
            "user": self.user,
            "mode": "snippet" if self.mimetype.startswith("text/") else "hosted",
            "size": self.length,
            "is_external": False,
            "is_public": bool(self.shares),
            "file_access": "visible",
            "alt_txt": self.alt_txt,
            "url_private": self.url(base_url),
            "url_private_download": self.url(base_url) + "?download=1",
            "permalink": f"{base_url}/archives/files/{team_id}/{self.id}",
            "channels": [c for c in self.shares if c.startswith("C")],
            "groups": [],
            "ims": [c for c in self.shares if c.startswith("D")],
            "mimetype": self.mimetype if self.ready else "",
            "filetype": self.filetype if self.ready else "",
        }
        if self.ready and self.preview:
            wire["preview"] = self.preview
        if self.ready and self.is_image:
            wire["thumb_360"] = self.url(base_url)
        return wire

    def url(self, base_url: str) -> str:
        """The URL of the file's content."""
        return f"{base_url}/files/{self.id}/{self.name}"

    def page(self, base_url: str) -> Json:
        """The file in the format of PAGE_API.md."""
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title or self.name,
            "mimetype": self.mimetype,
            "size": self.length,
            "url": self.url(base_url),
            "alt_txt": self.alt_txt,
            "preview": self.preview,
        }


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A message scheduled for a time, in seconds since the epoch."""

    channel: str
    post_at: int
