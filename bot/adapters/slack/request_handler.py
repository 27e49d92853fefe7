"""Runs an accepted request and answers it where it was made."""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bot.adapters.slack import blocks, forms, home_tab, outbound
from bot.adapters.slack.api import Api, SlackObserver
from bot.adapters.slack.errors import may_have_worked
from bot.adapters.slack.greeting import Greeting
from bot.adapters.slack.mailbox import Mailbox
from bot.adapters.slack.memory import Answers
from bot.adapters.slack.modal_answer import ModalAnswer
from bot.adapters.slack.outbound import Answer
from bot.adapters.slack.people import People
from bot.adapters.slack.precedence import Precedence
from bot.adapters.slack.request import SlackRequest
from bot.domain.core.reply import Button, Form, Reply
from bot.domain.rbac.access import Identity
from bot.errors import AgentpodError
from bot.logs import new_request_id, request_id_var
from bot.runbook.context import Caller, SecretSink
from bot.runbook.dispatch import Dispatcher

if TYPE_CHECKING:
    from bot.adapters.slack.outbound import Follow

logger = logging.getLogger("agentpod.slack")
_NOT_OURS = "I did not make that button, so I did nothing. Run the command again to get fresh buttons."
_WAITING_FOR_NOTHING = frozenset({"assistant", "joined", "home"})
"""What nobody made to get an answer."""
_RUNNING = "Somebody asked for this just now: the answer will be in that message's thread."


class RequestHandler:
    """Runs requests and answers them: with a message, a form, the Home tab, or in the channel."""

    def __init__(
        self,
        api: Api,
        people: People,
        dispatcher: Dispatcher,
        observer: SlackObserver,
        mailbox: Mailbox,
        precedence: Precedence,
        secret_sink: SecretSink | None,
        greeting: Greeting,
        follow: Follow | None = None,
    ) -> None:
        """``secret_sink`` receives secret values that are entered in a form; ``follow`` is told of receipts."""
        self._greeting, self._follow = greeting, follow
        self._api, self._people, self._dispatcher, self._observer = api, people, dispatcher, observer
        self._mailbox, self._precedence, self._secret_sink = mailbox, precedence, secret_sink
        self._answers = Answers()
        self.stopping = False
        """Whether requests are only told that the bot is being restarted."""

    def answer_to(self, request: SlackRequest) -> Answer:
        """Return the answer object of a request: a modal where it has no conversation that the user sees."""
        refused = request.surface == "shortcut" and request.line is None
        kind = ModalAnswer if request.view or (request.trigger and (request.home or refused)) else Answer
        return kind(
            self._api,
            self._observer,
            request,
            self._dispatcher.prefix,
            self._mailbox,
            precedence=self._precedence,
            follow=self._follow,
        )

    async def handle(self, request: SlackRequest) -> None:
        """Run a request and answer it. One that is cut short because the bot stops is told so."""
        answer = self.answer_to(request)
        try:
            if not self.stopping:
                await self._handle(request, answer)
        finally:
            if self.stopping:
                await self._cut_short(request, answer)

    async def _cut_short(self, request: SlackRequest, answer: Answer) -> None:
        if request.step is not None:
            from bot.adapters.slack import steps  # at its first use

            await steps.cut_short(request.step, self._api)
        elif request.surface not in _WAITING_FOR_NOTHING:
            await answer.cut_short()

    async def _handle(self, request: SlackRequest, answer: Answer) -> None:
        """A request from the Home tab refreshes the tab."""
        request_id = new_request_id()
        request_id_var.set(request_id)
        if request.surface == "assistant":
            from bot.adapters.slack import prompts  # at its first use

            await prompts.suggest(request, await self._identity(request), self._dispatcher, self._api)
            return
        if request.joined:
            await self._greeting.channel(request.channel)
            return
        if request.step is not None:
            from bot.adapters.slack import steps  # at its first use

            await steps.run(
                request, request.step, request_id, dispatcher=self._dispatcher, people=self._people, api=self._api
            )
            return
        again = request.action is not None and request.action.kind == "again"
        refresh = request.home and again and not request.view
        if request.surface == "home" or refresh:
            await self._home(request, request_id)
            await self._greeting.person(await self._identity(request))
            return
        await self._answered(request, answer, request_id)
        if request.surface == "dm":
            await self._greeting.person(await self._identity(request))
        if request.home:
            await self._home(replace(request, line="dashboard", answers={}), request_id)

    async def _answered(self, request: SlackRequest, answer: Answer, request_id: str) -> None:
        if request.home:
            await answer.begin()
        if request.sink:
            await answer.final(await self._secret(request), "")
            return
        if request.line is None:
            await answer.say(request.said or _NOT_OURS)
            return
        kept = (
            self._answers.get(request.action.key, request.user) if _is_share(request) and request.action else None
        )
        refusal = None if kept is None else await self._access_lost(request, kept)
        if refusal is not None:
            await answer.final(refusal, "")
            return
        reply = kept or await self._run(request, answer, request_id)
        if _is_share(request) and reply.shareable:
            await self._share(request, answer, reply)
            return
        shown = reply if reply.form is None else await self._ask(request, reply, reply.form, answer)
        if shown is not None and not (shown.posted and _needs_no_answer(request)):
            await self._answer(request, answer, shown)

    async def say_running(self, request: SlackRequest) -> None:
        """Say, to the one who clicked, that the same click is being answered already."""
        await self.answer_to(replace(request, below="")).say(_RUNNING)

    async def _access_lost(self, request: SlackRequest, kept: Reply) -> Reply | None:
        """Return the refusal if the user may no longer run the answer's command, and so may not share it."""
        identity = await self._identity(request, anew=True)
        return await self._dispatcher.refusal(kept.command, Caller(identity, request.surface, request.dedup))

    async def _home(self, request: SlackRequest, request_id: str) -> None:
        """Show the user's current dashboard in the Home tab."""
        identity = await self._identity(request)
        caller = Caller(identity, "home", request.dedup)
        reply = await self._dispatcher.run("dashboard", caller, request_id=request_id, progress=_nothing)
        view = home_tab.view(
            reply, prefix=self._dispatcher.prefix, outside=self._api.outside, now=datetime.now(UTC)
        )
        try:
            await self._api.call("views.publish", 10, user_id=request.user, view=view)
        except AgentpodError as error:
            logger.warning("the Home tab was not shown: %s", error.message)

    async def _ask(self, request: SlackRequest, reply: Reply, form: Form, answer: Answer) -> Reply | None:
        """Open a form; return the message beside it, or the one that says why it did not open.

        A click needs no message beside the form: the clicked one is still there. For a slash command the message
        replaces its first partial answer.
        """
        line = request.line or form.command
        again = (Button("Open the form", line, style="primary"),)
        if not request.trigger:
            return replace(reply, form=None, buttons=again)
        edits = request.surface == "slash" or request.edits
        clicked = request.message_ts if not request.ephemeral else ""
        origin = forms.Origin(
            request.channel, request.response_url, request.thread_ts, edits, clicked, answer.since, request.home
        )
        try:
            await answer.open_form(forms.view(self._api.outside.of(form), origin))
        except AgentpodError as error:
            logger.info("form not opened: %s", error.message)
            unsure = "If no form has opened, open it from here"
            missed = "The form could not open: open it from here"
            return replace(reply, headline=unsure if may_have_worked(error) else missed, form=None, buttons=again)
        if request.surface != "slash":
            return None
        return Reply("📝 Fill in the form that opened", buttons=again, shareable=False, repeatable=False)

    async def _secret(self, request: SlackRequest) -> Reply:
        """Pass secret values to their sink; they are neither logged nor kept here."""
        if self._secret_sink is None:
            return Reply("Nothing here takes secret values.", shareable=False)
        identity = await self._identity(request, anew=True)
        values = {name: SecretStr(value) for name, value in request.answers.items()}
        return await self._secret_sink(request.sink, values, Caller(identity, request.surface, request.dedup))

    async def _run(self, request: SlackRequest, answer: Answer, request_id: str) -> Reply:
        command = self._dispatcher.command(request.line)
        identity = await self._identity(request, anew=command is not None and command.asks_anew)
        caller = Caller(identity, request.surface, request.dedup, request.public, request.beside, answer.follows)
        return await self._dispatcher.run(
            request.line or "",
            caller,
            request_id=request_id,
            progress=answer.progress,
            answers=request.answers,
        )

    async def _identity(self, request: SlackRequest, *, anew: bool = False) -> Identity:
        return await self._people.identity(request.user, request.channel, request.claims, anew=anew)

    async def _answer(self, request: SlackRequest, answer: Answer, reply: Reply) -> None:
        if "error" in reply.data:  # an error shows nothing private, so it is answered where the request was made
            request = answer.request = replace(request, private=False, below="")
        by_url = bool(request.response_url) and not request.channel.startswith("D") and not request.below
        private = request.private or by_url
        key = secrets.token_hex(6) if private and reply.shareable and reply.command else ""
        if key:
            self._answers.put(key, reply, request.user)
        await answer.final(reply, key)

    async def _share(self, request: SlackRequest, answer: Answer, reply: Reply) -> None:
        reply = await self._api.clean(reply.for_others())
        shows_all = f"{self._dispatcher.prefix} {reply.command}"
        rendered = blocks.render(
            reply,
            prefix=self._dispatcher.prefix,
            attached=False,
            shows_all=shows_all,
            outside=self._api.outside,
            now=datetime.now(UTC),
        )
        try:
            await outbound.share(self._api, request, rendered, shows_all)
        except AgentpodError as error:
            if may_have_worked(error):
                await answer.say(
                    f"{error.message} It may be shared: look in the channel before you share it again."
                )
                return
            await answer.say(f"The answer could not be shared here: {error.message} {error.remedy or ''}".strip())


async def _nothing(_: Reply) -> None:
    """The Home tab shows no partial answers."""


def _needs_no_answer(request: SlackRequest) -> bool:
    """Whether nothing waits for an answer: a slash command's first one has to be replaced, and an open modal."""
    return request.surface != "slash" and not (request.edits or request.home)


def _is_share(request: SlackRequest) -> bool:
    return request.action is not None and request.action.kind == "share"
