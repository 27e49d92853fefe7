"""The page's behaviour: sending, completion, clicks, modals, Home, threads, the panel, themes, phones."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from sandbox.slack import seed

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = {"width": 390, "height": 844}
COMPOSER = '[data-composer="channel"]'


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def button(action_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": plain(action_id.title()), "value": "v1", **more}


def actions(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "actions", "block_id": "acts", "elements": list(elements)}]


def text_input(block_id: str, **more: Any) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": "typed"}
    return {"type": "input", "block_id": block_id, "label": plain(block_id), "element": element, **more}


MODAL = {
    "type": "modal",
    "callback_id": "ask",
    "title": plain("Ask"),
    "submit": plain("Send it"),
    "close": plain("Leave"),
    "blocks": [text_input("name"), text_input("note", optional=True)],
}


class Heard:
    """The requests that the app received, in order."""

    def __init__(self) -> None:
        self.bodies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __call__(self, ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await self.bodies.put(body)

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.bodies.get(), 10)


def any_action(app: Any) -> Heard:
    heard = Heard()
    app.action(re.compile(".*"))(heard)
    return heard


async def post(client: Any, blocks: list[dict[str, Any]], text: str = "card") -> str:
    sent = await client.chat_postMessage(channel=seed.OPS, text=text, blocks=blocks)
    return str(sent["ts"])


# Sending


async def test_enter_sends_and_shift_enter_breaks_the_line(open_page: Any, ws: Any) -> None:
    page = await open_page()
    await page.locator(COMPOSER).press_sequentially("first")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second")
    await page.keyboard.press("Enter")
    await expect(page.locator(".main .message .text").last).to_have_text("firstsecond")
    assert (await ws.wait_message(seed.OPS)).text == "first\nsecond"
    await expect(page.locator(COMPOSER)).to_have_value("")


async def test_a_completed_mention_is_sent_as_a_reference_and_shown_as_a_name(open_page: Any, ws: Any) -> None:
    page = await open_page()
    await page.locator(COMPOSER).press_sequentially("ask @jon")
    await expect(page.locator('[data-complete="U07JONAS002"]')).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator(COMPOSER)).to_have_value("ask @Jonas Weber ")
    await page.keyboard.press("Enter")
    assert (await ws.wait_message(seed.OPS)).text == f"ask <@{seed.JONAS}>"
    await expect(page.locator(f'[data-mention-user="{seed.JONAS}"]')).to_have_text("@Jonas Weber")


async def test_names_inside_code_stay_as_typed(open_page: Any, ws: Any) -> None:
    page = await open_page()
    await page.locator(COMPOSER).fill("`@Jonas Weber`")
    await page.locator("[data-send]").first.click()
    assert (await ws.wait_message(seed.OPS)).text == "`@Jonas Weber`"


async def test_arrow_up_in_an_empty_box_recalls_what_was_sent(open_page: Any) -> None:
    page = await open_page()
    box = page.locator(COMPOSER)
    for text in ("one", "two"):
        await box.fill(text)
        await box.press("Enter")
    await box.press("ArrowUp")
    await box.press("ArrowUp")
    await expect(box).to_have_value("one")
    await box.press("ArrowDown")
    await expect(box).to_have_value("two")


# Links to messages


async def test_a_link_to_a_message_is_followed_in_the_page_and_marks_it(
    open_page: Any, client: Any, app: Any, address: Any
) -> None:
    any_action(app)
    card = await post(client, [], "the card")
    reply = (await client.chat_postMessage(channel=seed.OPS, text="below it", thread_ts=card))["ts"]
    for number in range(30):
        await post(client, [], f"filler {number}\n\n\n")
    for ts, text in ((card, "the card"), (reply, "below it")):
        url = (await client.chat_getPermalink(channel=seed.OPS, message_ts=ts))["permalink"]
        await client.chat_postMessage(
            channel=seed.GENERAL, text="see", blocks=actions({**button(f"agentpod:link:{text[:5]}"), "url": url})
        )
        page = await open_page(address(channel=seed.GENERAL))
        await page.locator(f'a[href="{url}"]').click()
        marked = page.locator(".message.linked")
        await expect(marked).to_contain_text(text)
        await expect(marked).to_be_in_viewport()
        await expect(marked).to_be_focused()
        assert len(page.context.pages) == 1, "no other tab is opened"


# Commands


async def test_a_slash_offers_commands_and_then_their_subcommands(open_page: Any) -> None:
    page = await open_page()
    box = page.locator(COMPOSER)
    await box.press_sequentially("/agen")
    await expect(page.locator('[data-complete="/agentpod"]')).to_be_visible()
    await box.press("Enter")
    await expect(box).to_have_value("/agentpod ")
    await box.press_sequentially("st")
    await expect(page.locator("[data-completion] [data-complete]").first).to_have_text(re.compile("status"))
    await box.press("Tab")
    await expect(box).to_have_value("/agentpod status ")
    await expect(page.locator("[data-completion]").first).to_be_hidden()


async def test_subcommands_are_read_from_the_usage_hint(open_page: Any) -> None:
    page = await open_page()
    parse = """async (hint) => (await import("./completion.js")).subcommands(hint)"""
    wanted = [{"word": "status", "rest": ""}, {"word": "logs", "rest": "[--grep A|B]"}]
    for hint in ("status | logs [--grep A|B]", "[status | logs [--grep A|B]]", "<status|logs [--grep A|B]>"):
        assert await page.evaluate(parse, hint) == wanted
    assert await page.evaluate(parse, "[text]") == []


async def test_a_command_reaches_the_app_with_its_text(open_page: Any, app: Any) -> None:
    heard = Heard()
    app.command("/agentpod")(heard)
    page = await open_page()
    await page.locator(COMPOSER).fill('/agentpod logs --grep "a & b"')
    await page.locator(COMPOSER).press("Enter")
    body = await heard.next()
    assert (body["command"], body["user_id"]) == ("/agentpod", seed.MAYA)
    assert body["text"] == 'logs --grep "a &amp; b"'


async def test_a_command_without_a_connected_app_fails_privately_as_in_slack(open_page: Any) -> None:
    page = await open_page()
    await page.locator(COMPOSER).fill("/agentpod status")
    await page.locator(COMPOSER).press("Enter")
    note = page.locator("[data-ephemeral]")
    await expect(note).to_contain_text("/agentpod failed with the error “dispatch_failed”")
    await expect(note).to_contain_text("Only visible to you")
    await page.locator("[data-dismiss]").click()
    await expect(note).to_have_count(0)


async def test_an_unknown_command_is_explained_and_not_sent(open_page: Any, ws: Any) -> None:
    page = await open_page()
    await page.locator(COMPOSER).fill("/nonsense")
    await page.locator(COMPOSER).press("Enter")
    await expect(page.locator("[data-ephemeral]")).to_contain_text("/nonsense is not a valid command")
    assert ws.messages(seed.OPS) == []


# Messages


async def test_edits_and_deletions_show_at_once(open_page: Any, client: Any) -> None:
    page = await open_page()
    sent = await client.chat_postMessage(channel=seed.OPS, text="before")
    row = page.locator(f'[data-message-ts="{sent["ts"]}"]')
    await expect(row).to_contain_text("before")
    await client.chat_update(channel=seed.OPS, ts=sent["ts"], text="after")
    await expect(row).to_contain_text("after")
    await client.chat_delete(channel=seed.OPS, ts=sent["ts"])
    await expect(row).to_have_count(0)


async def test_a_history_read_before_a_push_does_not_undo_it(open_page: Any, client: Any) -> None:
    """Otherwise a card that is posted while the page loads would disappear, and with it a click on it."""
    edited, deleted = await post(client, [], "before"), await post(client, [], "deleted")
    page = await open_page()
    read, released = asyncio.Event(), asyncio.Event()

    async def late(route: Any) -> None:
        response = await route.fetch()
        body = await response.json()
        first = body["messages"][0]
        body["messages"].append({**first, "ts": "1000000000.000001", "text": "from the history"})
        read.set()
        await released.wait()
        await route.fulfill(response=response, json=body)

    await page.route("**/ui/api/history**", late)
    await page.locator(f'[data-channel-id="{seed.OPS}"]').click()
    await asyncio.wait_for(read.wait(), 10)
    await client.chat_update(channel=seed.OPS, ts=edited, text="after")
    await client.chat_delete(channel=seed.OPS, ts=deleted)
    await post(client, [], "new")
    await expect(page.locator(".main .message .text")).to_have_text(["after", "new"])
    released.set()
    await expect(page.get_by_text("from the history")).to_be_visible()
    await expect(page.locator(".main .message .text")).to_have_text(["from the history", "after", "new"])


async def test_ephemeral_messages_are_shown_to_their_recipient_only(open_page: Any, client: Any) -> None:
    page = await open_page()
    await client.chat_postEphemeral(channel=seed.OPS, user=seed.JONAS, text="psst")
    await client.chat_postMessage(channel=seed.OPS, text="loud")
    await expect(page.locator(".main .message")).to_have_count(1)
    await act_as(page, seed.JONAS)
    await expect(page.locator("[data-ephemeral]")).to_contain_text("psst")


async def act_as(page: Page, user: str) -> None:
    await page.locator("[data-user-switcher]").click()
    await page.locator(f'[data-option="{user}"]').click()


async def test_switching_the_user_changes_what_is_visible(open_page: Any) -> None:
    page = await open_page()
    await expect(page.locator(f'[data-channel-id="{seed.PRIVATE}"]')).to_have_count(0)
    await act_as(page, seed.PRIYA)
    await expect(page.locator(f'[data-channel-id="{seed.PRIVATE}"]')).to_be_visible()
    await expect(page.locator(f'[data-channel-id="{seed.DM_PRIYA}"]')).to_be_visible()
    await expect(page.locator(f'[data-channel-id="{seed.DM_MAYA}"]')).to_have_count(0)
    await expect(page.locator("[data-user-switcher]")).to_contain_text("owner, approver")


async def test_a_message_elsewhere_is_counted_as_unread(open_page: Any, client: Any) -> None:
    page = await open_page()
    await client.chat_postMessage(channel=seed.GENERAL, text="hello")
    badge = page.locator(f'[data-channel-id="{seed.GENERAL}"] .badge')
    await expect(badge).to_have_text("1")
    await page.locator(f'[data-channel-id="{seed.GENERAL}"]').click()
    await expect(badge).to_have_count(0)
    await expect(page.locator(".main .message")).to_contain_text("hello")


async def test_replies_are_counted_under_the_message_and_open_beside_it(open_page: Any, client: Any) -> None:
    page = await open_page()
    ts = await post(client, [], "question")
    await client.chat_postMessage(channel=seed.OPS, text="answer", thread_ts=ts)
    link = page.locator(f'[data-thread="{ts}"]')
    await expect(link).to_contain_text("1 reply")
    await expect(page.locator(".main .message")).to_have_count(1)
    await link.click()
    await expect(page.locator("[data-thread-pane] .message")).to_have_count(2)
    await page.locator('[data-composer="thread"]').fill("thanks")
    await page.locator('[data-composer="thread"]').press("Enter")
    await expect(page.locator("[data-thread-pane] .message").last).to_contain_text("thanks")
    await expect(link).to_contain_text("2 replies")


async def test_a_reader_who_scrolled_up_keeps_the_position_and_is_notified(open_page: Any, client: Any) -> None:
    page = await open_page()
    for n in range(30):
        await client.chat_postMessage(channel=seed.OPS, text=f"line {n}\nmore\nmore")
    await expect(page.locator(".main .message")).to_have_count(30)
    await page.locator(".main .scroller").evaluate("node => { node.scrollTop = 0 }")
    await client.chat_postMessage(channel=seed.OPS, text="newest")
    pill = page.locator(".main [data-new-messages]")
    await expect(pill).to_contain_text("1 new message")
    assert await page.locator(".main .scroller").evaluate("node => node.scrollTop") == 0
    await pill.click()
    await expect(page.get_by_text("newest")).to_be_in_viewport()
    await expect(pill).to_be_hidden()


async def test_files_show_a_preview_and_can_be_downloaded(open_page: Any, client: Any) -> None:
    page = await open_page()
    content = "\n".join(f"line {n}" for n in range(100))
    await client.files_upload_v2(channel=seed.OPS, filename="pod.log", title="pod.log", content=content)
    file = page.locator("[data-file-id]")
    await expect(file).to_contain_text("line 3")
    await expect(file).to_contain_text("LOG")
    await expect(file.locator("[data-download]")).to_have_attribute("download", "pod.log")
    await file.get_by_role("button", name="Show whole file").click()
    await expect(file).to_contain_text("line 99")


async def test_an_unknown_block_is_a_visible_box(open_page: Any) -> None:
    page = await open_page()
    kind = await page.evaluate(
        """async () => {
          const { blockNodes } = await import("./blocks.js");
          const { Surface } = await import("./surface.js");
          return blockNodes([{ type: "hologram" }], new Surface({}))[0].textContent;
        }"""
    )
    assert kind == "Unsupported block: hologram"


# Interactions


async def test_a_click_sends_the_action_and_the_state(open_page: Any, app: Any, client: Any) -> None:
    heard = any_action(app)
    page = await open_page()
    option = {"text": plain("Ten"), "value": "10"}
    await post(client, actions({"type": "static_select", "action_id": "when", "options": [option]}, button("go")))
    await page.locator('[data-action-id="when"]').click()
    await page.locator('[data-option="10"]').click()
    chosen = await heard.next()
    assert chosen["actions"][0]["selected_option"] == option
    await page.locator('[data-action-id="go"]').click()
    clicked = await heard.next()
    assert (clicked["actions"][0]["action_id"], clicked["actions"][0]["value"]) == ("go", "v1")
    assert clicked["user"]["id"] == seed.MAYA
    assert clicked["state"]["values"]["acts"]["when"]["selected_option"]["value"] == "10"
    await expect(page.locator('[data-action-id="when"]')).to_contain_text("Ten")


async def test_a_button_with_a_confirmation_asks_first(open_page: Any, app: Any, client: Any) -> None:
    heard = any_action(app)
    page = await open_page()
    confirm = {"title": plain("Sure?"), "text": plain("It stops."), "confirm": plain("Yes"), "deny": plain("No")}
    await post(client, actions(button("stop", style="danger", confirm=confirm), button("other")))
    await page.locator('[data-action-id="stop"]').click()
    await page.locator("[data-confirm-deny]").click()
    await page.locator('[data-action-id="other"]').click()
    assert (await heard.next())["actions"][0]["action_id"] == "other"
    await page.locator('[data-action-id="stop"]').click()
    await page.locator("[data-confirm-ok]").click()
    assert (await heard.next())["actions"][0]["action_id"] == "stop"


async def test_an_unanswered_click_is_reported_and_the_button_works_again(open_page: Any, client: Any) -> None:
    page = await open_page()
    await post(client, actions(button("go")))
    await page.locator('[data-action-id="go"]').click()
    await expect(page.locator("[data-toast]")).to_contain_text("dispatch_failed")
    await expect(page.locator('[data-action-id="go"]')).not_to_have_attribute("aria-busy", "true")


# Modals


async def open_modal(page: Page, app: Any, client: Any, view: dict[str, Any] = MODAL) -> None:
    async def opener(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=view)

    app.action("open")(opener)
    await post(client, actions(button("open")))
    await page.locator('[data-action-id="open"]').click()
    await page.locator(".modal").wait_for()


async def test_a_modal_checks_submits_and_closes(open_page: Any, app: Any, client: Any) -> None:
    submitted: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def submit(ack: Any, view: dict[str, Any]) -> None:
        values = view["state"]["values"]
        if values["name"]["typed"]["value"] == "bad":
            await ack(response_action="errors", errors={"name": "Not that one."})
            return
        await ack()
        await submitted.put(values)

    app.view("ask")(submit)
    page = await open_page()
    await open_modal(page, app, client)
    field, error = page.locator('[data-block-id="name"] input'), page.locator('[data-error-for="name"]')
    await expect(field).to_be_focused()
    await page.locator("[data-modal-submit]").click()
    await expect(error).to_have_text("Please complete this required field.")
    await field.fill("bad")
    await field.press("Enter")
    await expect(error).to_have_text("Not that one.")
    await field.fill("good")
    await page.locator("[data-modal-submit]").click()
    values = await asyncio.wait_for(submitted.get(), 10)
    assert values["name"]["typed"]["value"] == "good"
    assert values["note"]["typed"]["value"] is None
    await expect(page.locator(".modal")).to_have_count(0)


async def test_an_update_keeps_what_was_typed_in_the_same_field(
    open_page: Any, app: Any, client: Any, ws: Any
) -> None:
    page = await open_page()
    await open_modal(page, app, client)
    await page.locator('[data-block-id="name"] input').fill("kept")
    view = ws.view_of(seed.MAYA)
    await client.views_update(view_id=view.id, view={**MODAL, "title": plain("Changed")})
    await expect(page.locator(".modal h2")).to_have_text("Changed")
    await expect(page.locator('[data-block-id="name"] input')).to_have_value("kept")


async def test_escape_closes_a_modal_and_tells_the_workspace(
    open_page: Any, app: Any, client: Any, ws: Any
) -> None:
    page = await open_page()
    await open_modal(page, app, client)
    async with page.expect_response("**/ui/api/view_close"):
        await page.keyboard.press("Escape")
    await expect(page.locator(".modal")).to_have_count(0)
    assert ws.view_of(seed.MAYA) is None


async def test_home_is_empty_until_the_app_publishes_it(open_page: Any, client: Any) -> None:
    page = await open_page(f"?user={seed.MAYA}&home")
    await expect(page.locator("[data-home-view]")).to_contain_text("Nothing here yet")
    blocks = [{"type": "header", "text": plain("At a glance")}]
    await client.views_publish(user_id=seed.MAYA, view={"type": "home", "blocks": blocks})
    await expect(page.locator("[data-home-view]")).to_contain_text("At a glance")


# Panel, connection, theme


async def test_the_panel_breaks_counts_and_heals(open_page: Any, faults: Any, address: Any) -> None:
    page = await open_page(address(panel="open"))
    badge = page.locator("[data-active-faults]")
    await expect(badge).to_be_hidden()
    await page.locator('[data-break-id="pod.kill"] [role=switch]').click()
    await expect(page.locator('[data-break-id="pod.kill"] [role=switch]')).to_have_attribute(
        "aria-checked", "true"
    )
    await page.locator('[data-break-id="net.http"] select').select_option("hang")
    await expect(badge).to_have_text("2")
    await page.locator('[data-break-id="pod.delete"] button').click()
    await expect(page.locator("[data-toast]").first).to_contain_text("Delete it")
    assert (faults.values["pod.kill"], faults.values["net.http"], faults.pressed) == (True, "hang", 1)
    await page.locator("[data-heal]").click()
    await expect(badge).to_be_hidden()
    assert (faults.values["pod.kill"], faults.values["net.http"]) == (False, "")


async def test_the_bot_s_connection_state_is_shown(open_page: Any, ws: Any, client: Any) -> None:
    page = await open_page()
    await expect(page.locator('[data-bot-status="disconnected"]')).to_be_visible()
    async with client.session.ws_connect(await socket_url(client, ws)):
        await expect(page.locator('[data-bot-status="connected"]')).to_be_visible()
    await expect(page.locator('[data-bot-status="disconnected"]')).to_be_visible()


async def socket_url(client: Any, ws: Any) -> str:
    answer = await client.apps_connections_open(app_token=ws.app_token)
    return str(answer["url"])


class Line:
    """The page's WebSocket, which tests can cut and restore."""

    def __init__(self) -> None:
        self.mended = True
        self.sockets: list[Any] = []

    async def lay(self, page: Page) -> None:
        await page.route_web_socket("**/ui/ws**", self._connect)

    async def _connect(self, socket: Any) -> None:
        if not self.mended:
            await socket.close()
            return
        socket.connect_to_server()
        self.sockets.append(socket)

    async def cut(self) -> None:
        self.mended = False
        for socket in self.sockets:
            await socket.close()


async def test_after_a_lost_connection_the_page_catches_up(open_page: Any, ws: Any) -> None:
    line = Line()
    page = await open_page(before=line.lay)
    await line.cut()
    await expect(page.locator("[data-offline]")).to_be_visible()
    ws.say(seed.JONAS, seed.OPS, "while you were away")
    await expect(page.locator(".main .message")).to_have_count(0)
    line.mended = True
    await expect(page.get_by_text("while you were away")).to_be_visible()
    await expect(page.locator("[data-offline]")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_theme_follows_the_system_until_chosen_and_is_remembered(open_page: Any, scheme: str) -> None:
    page = await open_page(color_scheme=scheme)
    shade = "getComputedStyle(document.body).backgroundColor"
    before = await page.evaluate(shade)
    await page.locator("[data-theme-toggle]").click()
    after = await page.evaluate(shade)
    assert before != after
    assert (before == "rgb(255, 255, 255)") == (scheme == "light")
    await page.reload()
    await page.wait_for_selector('html[data-ready="true"]')
    assert await page.evaluate(shade) == after


# Phones

WIDE_BLOCKS: list[dict[str, Any]] = [
    {"type": "header", "text": plain("x" * 150)},
    {"type": "section", "fields": [{"type": "mrkdwn", "text": "y" * 300}, {"type": "mrkdwn", "text": "*b*\nz"}]},
    {"type": "table", "rows": [[{"type": "raw_text", "text": f"column {n}"} for n in range(20)]] * 3},
    {"type": "section", "text": {"type": "mrkdwn", "text": "```" + "w" * 500 + "```"}},
    {"type": "actions", "elements": [button(f"action-{n}", text=plain("A long label " * 4)) for n in range(5)]},
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "c" * 200}]},
]

OVERFLOW = """() => {
  const inner = document.querySelectorAll(".scroller, .log, .message-main, .modal-body");
  const boxes = [document.documentElement, ...inner];
  return boxes.filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.className || box.tagName);
}"""


async def test_nothing_overflows_a_phone_s_width(open_page: Any, client: Any, ws: Any, address: Any) -> None:
    await post(client, WIDE_BLOCKS)
    ws.say(seed.JONAS, seed.OPS, "https://example.com/" + "u" * 400 + " שלום")
    page = await open_page(viewport=PHONE)
    await expect(page.locator(".main .message")).to_have_count(2)
    assert await page.evaluate(OVERFLOW) == []
    table = page.locator(".table-box")
    assert await table.evaluate("node => node.scrollWidth > node.clientWidth")


async def test_a_phone_shows_one_pane_and_leads_back(open_page: Any, client: Any) -> None:
    ts = await post(client, [], "question")
    await client.chat_postMessage(channel=seed.OPS, text="answer", thread_ts=ts)
    page = await open_page(f"?user={seed.MAYA}", viewport=PHONE)
    sidebar, main, thread = page.locator(".sidebar"), page.locator(".main"), page.locator(".thread")
    await expect(main).to_be_hidden()
    await page.locator(f'[data-channel-id="{seed.OPS}"]').click()
    await expect(main).to_be_visible()
    await expect(sidebar).to_be_hidden()
    await page.locator(f'[data-thread="{ts}"]').click()
    await expect(thread).to_be_visible()
    await expect(main).to_be_hidden()
    await page.locator('[data-back="main"]').click()
    await expect(main).to_be_visible()
    await page.locator('[data-back="list"]').click()
    await expect(sidebar).to_be_visible()
    await page.go_back()
    await expect(main).to_be_visible()


async def test_on_a_phone_the_panel_is_a_sheet_over_everything(open_page: Any) -> None:
    page = await open_page(viewport=PHONE, reduced_motion="reduce")
    await page.locator("[data-panel-toggle]").click()
    box = await page.locator("[data-panel].panel").bounding_box()
    assert box == {"x": 0, "y": 0, **PHONE}
    await page.locator("[data-panel-close]").click()
    await expect(page.locator("[data-panel].panel")).to_be_hidden()


async def test_the_composer_stays_inside_a_phone_s_window(open_page: Any) -> None:
    page = await open_page(viewport=PHONE)
    box = await page.locator(".main .composer").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= PHONE["height"]
