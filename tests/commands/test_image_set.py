"""``image set``: what is refused, what the card says, and the file where the Deployment is made from Git."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals import decision_buttons
from bot.domain.approvals.actions.image_set import IMAGE_SET, PINNED
from bot.domain.approvals.approval import Request, RequestState, Snapshot
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.images import ResolvedImage, pinned, reference
from bot.domain.core.target import ArgoCD
from bot.domain.core.workload import Application, Container, Manager
from bot.domain.health import deployment_owner
from bot.errors import NotAllowed, NotFound, Refused, Transient, UsageError
from bot.ports.registry import PlatformMissing
from tests import handbook
from tests.commands.fakes import HANG, NOW, container, deployment, pod, text_of
from tests.commands.test_secrets import Room
from tests.fake_registry import LATEST, NEW, NEWEST, OLD, OTHER, REPOSITORY, TAGGED, FakeRegistry

LINE = "image set 1.4.2 --reason 'a fix'"
FLUX = Manager("Flux", "Flux (apps)", "Change it in Git.", undoes=False)
HELM = Manager("Helm", "Helm (agent)", "Change the chart's values, and run helm upgrade.", undoes=False)


async def _none(**_: Any) -> list[Any]:
    return []


def room_with(
    registry: FakeRegistry | None = None,
    *,
    image: str = LATEST,
    settable: tuple[str, ...] = ("kali",),
    **more: Any,
) -> Room:
    """A pod that runs the old image, and no Argo CD."""
    room = Room()
    room.target = handbook.target(image_set=settable)
    room.registry = registry or FakeRegistry(built_at=NOW - timedelta(days=3))
    one = container(image=image, image_id=f"{REPOSITORY}@{OLD}", pull_policy="IfNotPresent")
    room.cluster.pods_answer = [pod(containers=(one,))]
    template = (Container("kali", image), Container("setup", "setup:1", role="init"))
    room.cluster.deployment_answer = deployment(template=template, images={"kali": image}, **more)
    room.cluster.application_answer = NotFound("There is none.")
    room.marks.__dict__["requests"] = _none
    return room


@pytest.mark.parametrize(
    "tag",
    [
        "",
        ".a",
        "-a",
        "a" * 129,
        "a/b",
        "repo:1",
        "ghcr.io/a/kali:1",
        "1@sha256:ab",
        "sha256:abc",
        "a b",
        "ä",
        "1\n",
    ],
)
async def test_what_is_no_tag_is_refused_and_not_repeated(tag: str) -> None:
    with pytest.raises(UsageError) as refused:
        await room_with().say(f"image set {tag!r} --reason x" if "\n" not in tag else "image set '1\n' --reason x")
    assert len(tag) < 3 or tag not in refused.value.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NotFound("The registry ghcr.io has no image a/kali 1.4.2."), "has no image a/kali:1.4.2"),
        (
            PlatformMissing("None.", ("linux/arm64",)),
            "a/kali:1.4.2 has no image for linux/amd64, only for",
        ),
        (
            Transient("The registry ghcr.io can't be asked: no route."),
            "Nobody knows what would start: the registry",
        ),
        (NotAllowed("The registry ghcr.io has no a/kali, or does not let the bot read it."), "does not let"),
    ],
)
async def test_what_the_registry_can_not_give_is_refused(answer: Any, said: str) -> None:
    for line in (LINE, "image set 1.4.2"):
        with pytest.raises(Refused, match=said):
            await room_with(FakeRegistry({TAGGED: answer})).say(line)


async def test_a_digest_for_another_platform_is_refused() -> None:
    missing = PlatformMissing("None.", ("linux/arm64",))
    with pytest.raises(Refused, match=r"only for linux/arm64") as refused:
        await room_with(FakeRegistry({f"{REPOSITORY}@{NEW}": missing})).say(f"image set {NEW} --reason x")
    assert "built for that platform" in str(refused.value.remedy)


@pytest.mark.parametrize("image", [f"{TAGGED}@{NEW}", f"{REPOSITORY}@{NEW}"])
async def test_the_image_that_is_set_already_is_refused(image: str) -> None:
    said = r"Nothing to set: the Deployment names 1\.4\.2 \(sha256:bbbbbbbbbbbb…\) for kali already\."
    with pytest.raises(Refused, match=said):
        await room_with(image=image).say(LINE)


@pytest.mark.parametrize(
    ("settable", "line", "said"),
    [
        ((), LINE, "^The command `image set` is off for secure-agent-pod."),
        (("proxy",), f"{LINE} --container kali", "^The command `image set` is off for kali; it is on for proxy."),
        (("kali", "setup"), f"{LINE} --container setup", "setup is no main container"),
        (("kali",), f"{LINE} --container kalli", "has no container kalli"),
    ],
)
async def test_it_is_off_but_for_the_containers_of_the_settings(
    settable: tuple[str, ...], line: str, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        await room_with(settable=settable).say(line)


async def test_the_card_says_what_becomes_of_what_and_the_cost() -> None:
    room = room_with(managers=(HELM,))
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert (asked.action, asked.subject) == (IMAGE_SET, "1.4.2 for kali")
    assert asked.effect == (
        "1.4.2 (sha256:bbbbbbbbbbbb…, built 3 d ago) instead of latest (sha256:aaaaaaaaaaaa… runs). The old pod "
        "ends before the new one starts (Recreate). Everything in it is down until the new one is ready."
    )
    facts = dict(asked.facts)
    assert facts["Also written by"].startswith("Helm (agent), which sets it back when it is next applied.")
    assert asked.details[PINNED] == f"{TAGGED}@{NEW}"
    assert asked.snapshot.tags == ((TAGGED, NEW),)
    assert dict(asked.snapshot.images) == {"kali": LATEST}


async def test_the_image_that_runs_can_be_pinned() -> None:
    room = room_with(FakeRegistry({LATEST: ResolvedImage(OLD, OTHER)}))
    await room.say("image set latest --reason pin")
    [asked] = room.approval_service.asked
    assert asked.effect.startswith("Pins the image that runs already: latest (sha256:aaaaaaaaaaaa…).")


BACK_LINE = f"image set 1.4.2@{NEW} --back --reason 'back from 1.5'"


def replaced(room: Room, **more: str) -> None:
    """Have an earlier request that set another image in its place."""
    given = {"container": "kali", "before": NEW, "instead_of": TAGGED, **more}
    request = Request("r-11111111", "U1", NOW, NOW, Snapshot("u", 1), state=RequestState.SUCCEEDED)
    earlier = RepairRequest(request, "pod", IMAGE_SET, details=given)

    async def found(**_: Any) -> list[Any]:
        return [earlier]

    room.marks.__dict__["requests"] = found


@pytest.mark.parametrize(
    ("earlier", "back"),
    [
        (None, False),
        ({}, True),
        ({"before": OTHER}, True),
        ({"before": NEWEST}, False),
        ({"container": "web"}, False),
        ({"before": "", "instead_of": LATEST}, False),
        ({"before": "", "instead_of": f"{TAGGED}@{NEW}"}, True),
    ],
    ids=["none", "its digest", "its platform's", "another digest", "another container", "no name", "its name"],
)
async def test_the_card_says_back_only_of_an_image_that_an_earlier_request_replaced(
    earlier: dict[str, str] | None, back: bool
) -> None:
    names = dict.fromkeys((TAGGED, f"{TAGGED}@{NEW}"), ResolvedImage(NEW, OTHER))
    room = room_with(FakeRegistry(names), image=f"{REPOSITORY}:1.5@{OLD}")
    if earlier is not None:
        replaced(room, **earlier)
    await room.say(BACK_LINE)
    [asked] = room.approval_service.asked
    assert IMAGE_SET.what(_made(asked)) == ("Back to" if back else "Image") + " 1.4.2 for kali in pod"


async def test_a_tag_has_not_moved_where_the_digest_is_that_of_its_image_for_the_platform() -> None:
    """A runtime may report that one, so that the way back names it."""
    index, alone = ResolvedImage(NEW, OTHER), ResolvedImage(OTHER, OTHER)
    room = room_with(FakeRegistry({TAGGED: index, f"{TAGGED}@{OTHER}": alone}), image=f"{REPOSITORY}:1.5@{OLD}")
    await room.say(f"image set 1.4.2@{OTHER} --back --reason back")
    [asked] = room.approval_service.asked
    assert asked.details[PINNED] == f"{TAGGED}@{OTHER}"
    assert "Tag" not in dict(asked.facts)


async def test_the_way_back_keeps_the_tag_by_its_old_digest_although_the_tag_has_moved() -> None:
    names = {f"{TAGGED}@{NEW}": ResolvedImage(NEW, OTHER), TAGGED: ResolvedImage(NEWEST, NEWEST)}
    room = room_with(FakeRegistry(names), image=f"{REPOSITORY}:1.5@{OLD}")
    replaced(room)
    await room.say(BACK_LINE)
    [asked] = room.approval_service.asked
    assert asked.details[PINNED] == f"{TAGGED}@{NEW}"
    assert dict(asked.facts)["Tag"] == ":1.4.2 points to sha256:dddddddddddd… now; this sets sha256:bbbbbbbbbbbb…"
    title = IMAGE_SET.what(_made(asked))
    assert title == "Back to 1.4.2 for kali in pod"
    assert IMAGE_SET.again_line(_made(asked)) == (
        f'image set 1.4.2@{NEW} --container "kali" --back --reason "back from 1.5" --target "pod"'
    )


@pytest.mark.parametrize("now", [ResolvedImage(NEW, OTHER), NotFound("Gone."), Transient("Away.")])
async def test_the_way_back_needs_no_tag_in_the_registry(now: Any) -> None:
    names = {f"{TAGGED}@{NEW}": ResolvedImage(NEW, OTHER), TAGGED: now}
    room = room_with(FakeRegistry(names), image=f"{REPOSITORY}:1.5@{OLD}")
    await room.say(BACK_LINE)
    [asked] = room.approval_service.asked
    assert "Tag" not in dict(asked.facts)


def _made(asked: Any) -> RepairRequest:
    request = Request("r-22222222", "U1", NOW, NOW, Snapshot("u", 1))
    return RepairRequest(
        request, "pod", asked.action, asked.reason, asked.subject, details=asked.details, effect=asked.effect
    )


async def test_a_digest_that_is_gone_is_not_to_be_pushed() -> None:
    with pytest.raises(Refused) as refused:
        await room_with(FakeRegistry({f"{REPOSITORY}@{NEW}": NotFound("It has none.")})).say(
            f"image set {NEW} --reason x"
        )
    assert refused.value.message == "The registry ghcr.io has no image a/kali@sha256:bbbbbbbbbbbb…."
    assert refused.value.remedy == "Correct the digest: `/agentpod image` shows the one that runs."


async def test_each_digest_stands_once_and_short_on_the_card() -> None:
    room = room_with(FakeRegistry({f"{REPOSITORY}@{NEW}": ResolvedImage(NEW, OTHER)}), image=f"{REPOSITORY}@{OLD}")
    await room.say(f"image set {NEW} --reason x")
    [asked] = room.approval_service.asked
    assert asked.effect.startswith("sha256:bbbbbbbbbbbb… instead of sha256:aaaaaaaaaaaa… (runs).")


async def test_the_card_says_that_the_old_image_does_not_run() -> None:
    room = room_with(image=f"{REPOSITORY}:1.5@{OLD}")
    [one] = room.cluster.pods_answer[0].containers
    room.cluster.pods_answer = [pod(containers=(replace(one, state="waiting", reason="CrashLoopBackOff"),))]
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert "instead of 1.5 (sha256:aaaaaaaaaaaa…, not running: CrashLoopBackOff)." in asked.effect


async def test_the_confirmation_says_the_cost_before_the_image() -> None:
    room = room_with()
    await room.say(LINE)
    [asked] = room.approval_service.asked
    text = decision_buttons.approve(_made(asked)).confirm
    assert text.index("Everything in it is down") < text.index("1.4.2 (sha256:bbbbbbbbbbbb…")
    assert text.count("bbbb…") == 1


async def test_a_digest_can_be_set() -> None:
    room = room_with(FakeRegistry({f"{REPOSITORY}@{NEW}": ResolvedImage(NEW, OTHER)}))
    await room.say(f"image set {NEW} --reason back")
    [asked] = room.approval_service.asked
    assert (asked.subject, asked.details[PINNED]) == ("sha256:bbbbbbbbbbbb… for kali", f"{REPOSITORY}@{NEW}")


def argo(**changes: Any) -> Application:
    return Application("secure-agent-pod", "Synced", "Healthy", **changes)


OURS = frozenset({("secure-agent-pod", "secure-agent-pod")})
BY_ARGO = Manager("Argo CD", "Argo CD application secure-agent-pod", "Change it in Git.", undoes=False)


@pytest.mark.parametrize(
    ("application", "more", "who", "when"),
    [
        (argo(deployments=OURS, self_heal=True), {}, "Argo CD application", "within minutes, by its self-heal"),
        (argo(deployments=OURS), {}, "Argo CD application", "with its next sync"),
        (argo(), {"instance": "secure-agent-pod"}, "Argo CD application", "with its next sync"),
        (NotAllowed("May not."), {"managers": (BY_ARGO,)}, "Argo CD application", "applies its source"),
        (NotFound("None."), {"managers": (FLUX, HELM)}, r"Flux \(apps\)", "applies its source"),
    ],
)
@pytest.mark.parametrize("settable", [("kali",), ()])
async def test_where_a_program_makes_it_from_git_the_answer_is_the_change_to_commit(
    application: Any, more: dict[str, Any], who: str, when: str, settable: tuple[str, ...]
) -> None:
    room = room_with(settable=settable, **more)
    room.target = room.target.model_copy(update={"argocd": ArgoCD()})
    room.cluster.application_answer = application
    for line in (LINE, "image set 1.4.2"):
        reply = await room.say(line)
        assert room.approval_service.asked == []
        assert reply.headline.replace("(", "\\(").replace(")", "\\)").startswith(who)
        assert "manages secure-agent-pod: commit the image" in reply.headline
        assert reply.exit_code == 2, "nothing was done"
        assert when in text_of(reply)
        [file] = reply.excerpts
        entry, _, line_ = file.text.partition("# or")
        assert yaml.safe_load(entry)["images"] == [{"name": REPOSITORY, "newTag": "1.4.2", "digest": NEW}]
        assert line_.endswith(f"image: {TAGGED}@{NEW}")


async def test_an_application_of_others_owns_nothing() -> None:
    room = room_with()
    room.target = room.target.model_copy(update={"argocd": ArgoCD()})
    room.cluster.application_answer = argo(
        deployments=frozenset({("elsewhere", "secure-agent-pod")}), self_heal=True
    )
    await room.say(LINE)
    assert len(room.approval_service.asked) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (NotAllowed("The account may not get applications."), "the account may not get applications"),
        (Transient("The API server is away."), "the API server is away"),
        (HANG, r"the API server gave no answer in .* s"),
    ],
)
async def test_an_application_that_can_not_be_read_is_not_none(answer: Any, why: str) -> None:
    room = room_with()
    room.target = room.target.model_copy(update={"argocd": ArgoCD()})
    room.cluster.application_answer = answer
    for line in (LINE, "image set 1.4.2"):
        with pytest.raises(
            Refused, match=f"^Nobody knows whether Argo CD manages secure-agent-pod: {why}"
        ) as refused:
            await room.say(line)
        assert "or set argocd: null" in str(refused.value.remedy)
    assert room.approval_service.asked == []


def test_a_digest_alone_is_committed_without_a_tag() -> None:
    text = deployment_owner.to_commit(f"{REPOSITORY}@{NEW}", "kali")
    assert yaml.safe_load(text.partition("# or")[0])["images"] == [{"name": REPOSITORY, "digest": NEW}]


async def test_without_a_reason_a_form_asks_for_it() -> None:
    reply = await room_with().say("image set 1.4.2")
    assert reply.form is not None
    assert reply.form.command == 'image set 1.4.2 --container "kali" --target "secure-agent-pod"'


async def test_a_pinned_image_is_pulled_by_naming_another() -> None:
    room = room_with(image=f"{TAGGED}@{OLD}")
    with pytest.raises(Refused) as refused:
        await room.say("image pull --reason x")
    assert refused.value.remedy == "Ask for another one: `/agentpod image set TAG`."
    room.target = replace_settable(room, ())
    with pytest.raises(Refused) as refused:
        await room.say("image pull --reason x")
    assert refused.value.remedy == "Change the image in the Deployment."


def replace_settable(room: Room, settable: tuple[str, ...]) -> Any:
    return room.target.model_copy(update={"image_set": settable})


async def test_image_offers_the_new_one_where_a_restart_pulls_none() -> None:
    for settable, offered in (("kali",), True), ((), False):
        room = room_with(FakeRegistry(), settable=settable)
        room.cluster.deployment_answer = replace(
            room.cluster.deployment_answer, template=(Container("kali", LATEST, pull_policy="IfNotPresent"),)
        )
        lines = [button.command for button in (await room.say("image")).buttons]
        assert ('image set latest --container "kali" --target "secure-agent-pod"' in lines) is offered


_parts = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
_tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)


@given(
    st.sampled_from(["", "ghcr.io/", "localhost:5000/", "a.b:80/c/"]),
    _parts,
    st.none() | _tags,
    st.none() | st.just(OLD),
    _tags,
)
def test_a_pinned_name_stays_in_its_repository(
    host: str, name: str, tag: str | None, digest: str | None, new: str
) -> None:
    old = reference(f"{host}{name}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else ""))
    found = reference(pinned(f"{old.repository}:{new}", NEW))
    assert (found.repository, found.tag, found.digest) == (old.repository, new, NEW)
    assert found.is_valid
