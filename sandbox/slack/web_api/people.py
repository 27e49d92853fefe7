"""auth.*, users.*, usergroups.*, bots.*, team.*, api.*, apps.*: identities and connections."""

from __future__ import annotations

from sandbox.slack.errors import SlackError
from sandbox.slack.model import Json
from sandbox.slack.seed import APP_ID, BOT_ID, BOT_USER, TEAM_DOMAIN, TEAM_ID, TEAM_NAME
from sandbox.slack.web_api.call import Call, Method


def _auth_test(call: Call) -> Json:
    return {
        "url": f"https://{TEAM_DOMAIN}.slack.com/",
        "team": TEAM_NAME,
        "user": call.core.manifest.bot_name,
        "team_id": TEAM_ID,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }


def _connections_open(call: Call) -> Json:
    core = call.core
    if core.issue_ticket is None or not core.manifest.socket_mode:
        raise SlackError("socket_mode_not_enabled")
    if core.faults.no_connect:
        raise SlackError("internal_error")
    socket = core.base_url.replace("http://", "ws://", 1)
    return {"url": f"{socket}/link/?ticket={core.issue_ticket()}&app_id={APP_ID}"}


def _api_test(call: Call) -> Json:
    if error := call.text("error", ""):
        raise SlackError(error, args=call.args)
    return {"args": call.args}


def _users_info(call: Call) -> Json:
    user = call.core.store.users.get(call.text("user"))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": user.wire(TEAM_ID)}


def _users_list(call: Call) -> Json:
    some, more = call.page([u.wire(TEAM_ID) for u in call.core.store.users.values()])
    return {"members": some, "cache_ts": int(call.core.clock()), "response_metadata": more}


def _usergroups_list(call: Call) -> Json:
    with_users, with_count = call.flag("include_users"), call.flag("include_count")
    groups = call.core.store.groups.values()
    return {"usergroups": [g.wire(TEAM_ID, with_users=with_users, with_count=with_count) for g in groups]}


def _usergroups_users(call: Call) -> Json:
    group = call.core.store.groups.get(call.text("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


def _bots_info(call: Call) -> Json:
    if call.text("bot", BOT_ID) != BOT_ID:
        raise SlackError("bot_not_found")
    bot = {"id": BOT_ID, "deleted": False, "name": call.core.manifest.bot_name, "app_id": APP_ID}
    return {"bot": bot | {"user_id": BOT_USER, "updated": 0, "icons": {}}}


def _team_info(call: Call) -> Json:  # noqa: ARG001 - a Handler's signature
    return {"team": {"id": TEAM_ID, "name": TEAM_NAME, "domain": TEAM_DOMAIN, "email_domain": "", "icon": {}}}


METHODS = {
    "auth.test": Method(_auth_test, 0),
    "apps.connections.open": Method(_connections_open, 1, "connections:write", app_token=True),
    "api.test": Method(_api_test, 4),
    "users.info": Method(_users_info, 4, "users:read"),
    "users.list": Method(_users_list, 2, "users:read"),
    "usergroups.list": Method(_usergroups_list, 2, "usergroups:read"),
    "usergroups.users.list": Method(_usergroups_users, 2, "usergroups:read"),
    "bots.info": Method(_bots_info, 3, "users:read"),
    "team.info": Method(_team_info, 3, "team:read"),
}
