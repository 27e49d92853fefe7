"""Rich text trees: sections, lists, quotes and preformatted text with their inline elements."""

from __future__ import annotations

from sandbox.slack.blocks.check import (
    Check,
    array,
    boolean,
    by_type,
    fields,
    integer,
    one_of,
    pattern,
    string,
    url,
)
from sandbox.slack.blocks.objects import block_id

_style = fields(bold=boolean, italic=boolean, strike=boolean, code=boolean, underline=boolean)
_mention_style = fields(
    bold=boolean,
    italic=boolean,
    strike=boolean,
    highlight=boolean,
    client_highlight=boolean,
    unlink=boolean,
    code=boolean,
    underline=boolean,
)
_date_style = fields(
    bold=boolean, italic=boolean, strike=boolean, highlight=boolean, client_highlight=boolean, underline=boolean
)
_body = string(100_000, counts=True)
_id = string(50)

_inline: dict[str, Check] = {
    "text": fields({"text": _body}, style=_style),
    "link": fields({"url": url()}, text=_body, unsafe=boolean, style=_style),
    "emoji": fields({"name": string(255)}, unicode=string(255), skin_tone=integer(1, 6), style=_style, url=url()),
    "user": fields({"user_id": _id}, style=_mention_style),
    "usergroup": fields({"usergroup_id": _id}, style=_mention_style),
    "channel": fields({"channel_id": _id}, style=_mention_style),
    "team": fields({"team_id": _id}, style=_style),
    "broadcast": fields({"range": one_of("here", "channel", "everyone")}, style=_style),
    "color": fields({"value": pattern(r"#[0-9a-fA-F]{3,8}", "color")}, style=_style),
    "date": fields(
        {"timestamp": integer(0), "format": string(255, counts=True)},
        url=url(),
        timezone=string(60),
        fallback=string(3000, counts=True),
        style=_date_style,
    ),
}
_any_inline = array(by_type(**_inline), 10_000, 0)
_pre_inline = array(by_type(text=_inline["text"], link=_inline["link"]), 10_000, 0)
_border = integer(0, 1)
_section = fields({"elements": _any_inline})

_parts = by_type(
    rich_text_section=_section,
    rich_text_list=fields(
        {"style": one_of("bullet", "ordered"), "elements": array(by_type(rich_text_section=_section), 10_000)},
        indent=integer(0, 8),
        offset=integer(0),
        border=_border,
    ),
    rich_text_preformatted=fields({"elements": _pre_inline}, border=_border, language=string(50)),
    rich_text_quote=fields({"elements": _any_inline}, border=_border),
)

rich_text = by_type(rich_text=fields({"elements": array(_parts, 10_000)}, block_id=block_id))
