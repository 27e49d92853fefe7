// The tour: seven steps from a first question to an approved repair. Each step is done when it has really happened.

import { api } from "./api.js";
import { busyWhile, fill, h, toast, uid } from "./dom.js";
import { icon } from "./icons.js";
import { emit, loadedChannels, on, people, pushesSoFar, rooms, state, takeHistory, userName } from "./state.js";
import { explain } from "./surface.js";
import { approver, tourBreak, TourFacts } from "./tour-facts.js";

const STEPS = 7;
const PATIENCE_MS = 8000;
const REASON = 'restart --reason "sshd is gone"';

const slash = () => state.commands[0]?.command ?? "/agentpod";
const room = () => rooms()[0]?.id ?? null;
const firstName = (id) => userName(id, "Somebody").split(" ")[0];

let tour = null;

/** Whether the tour is shown. */
export const tourIsOpen = () => Boolean(tour?.facts?.open);

/** Whether this sandbox has a tour. */
export const hasTour = () => tourBreak() !== null;

/** The tour's element, and the beginning of the tour where ``wanted`` or the state says so. */
export function tourGuide() {
  tour = new Tour();
  return tour.node;
}

/** Open the tour as the address says ("open" or "closed"), or as it was left, or for a newcomer. */
export function startTour(wanted) {
  tour.begin(wanted);
}

class Tour {
  constructor() {
    this.title = h("h2", { class: "tour-title", id: uid("tour") });
    this.text = h("p", { class: "tour-text" });
    this.dots = h("span", { class: "tour-dots", "aria-hidden": "true" });
    this.action = h("button", { class: "button button-primary", type: "button", data: { tourAction: "" }, onclick: () => this.act() });
    this.close = h("button", { class: "button button-icon", type: "button", "aria-label": "Close the tour", title: "Close the tour", data: { tourClose: "" }, onclick: () => this.show(false) }, icon("close"));
    this.node = h("section", { class: "tour", hidden: true, "aria-labelledby": this.title.id, data: { tour: "" } },
      h("div", { class: "tour-main", role: "status" }, this.title, this.text), h("div", { class: "tour-side" }, this.action), this.close, this.dots);
    this.node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.show(false);
    });
  }

  begin(wanted) {
    this.facts = new TourFacts();
    for (const channel of loadedChannels()) this.facts.take(channel);
    const open = hasTour() && (wanted ? wanted === "open" : this.facts.wantsOpen());
    this.show(open, { focus: false, keep: open });
    on("bootstrap", () => {
      if (this.facts.run !== state.run) this.facts = new TourFacts({ open: this.facts.open });
    });
    for (const topic of ["user", "breaks", "bootstrap", "place"]) on(topic, () => this.draw());
    on("messages", ({ channel }) => this.facts.take(channel) && this.draw());
    on("live", () => state.live === "open" && this.catchUp());
    on("tour", (wish) => {
      if (wish && this.facts.done() === STEPS) this.facts.again();
      this.show(wish);
    });
  }

  /** Load the card's channel where another place is shown: what happened to it meanwhile was pushed to nobody. */
  async catchUp() {
    const { channel } = this.facts.facts.card ?? {};
    const { user } = state;
    if (!this.facts.open || !channel || (!state.home && state.channel === channel)) return;
    const asked = pushesSoFar();
    const answer = await api.history(channel, user);
    if (answer.messages && user === state.user) takeHistory(channel, answer.messages, { asked });
  }

  show(open, { focus = true, keep = true } = {}) {
    if (keep) this.facts.setOpen(open);
    this.node.hidden = !open;
    this.shown = null;
    this.draw();
    emit("tour-changed");
    if (focus) (open ? this.action : document.querySelector("[data-tour-toggle]"))?.focus();
  }

  draw() {
    if (!this.facts.open) return;
    const done = this.facts.done();
    const step = this.step(done);
    const shown = JSON.stringify([done, step.title, step.text, step.label]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.rest();
    this.node.dataset.tour = String(done + 1);
    this.title.textContent = done < STEPS ? `Tour, step ${done + 1} of ${STEPS}: ${step.title}` : step.title;
    this.text.textContent = step.text;
    fill(this.action, h("span", { class: "button-label" }, step.label));
    fill(this.dots, Array.from({ length: STEPS }, (_, i) => h("i", { class: i < done ? "done" : "" })));
  }

  /** The step after `done` steps: its words, and what its button does; `waits` for what the bot does next. */
  step(done) {
    const { asker, ended } = this.facts.facts;
    const other = approver(asker);
    const steps = [
      { title: "ask", text: "Ask how the pod is. The bot runs all checks and answers only you.", label: `Send ${slash()} status`, run: () => this.send("status"), waits: true },
      { title: "break something", text: "Stop sshd, the pod's SSH server. Nothing real is harmed.", label: "Stop sshd", run: () => this.breakIt() },
      { title: "ask again", text: "Ask for the status again. Its first line names the cause.", label: `Send ${slash()} status`, run: () => this.send("status"), waits: true },
      { title: "ask for a restart", text: ended === "otherwise" ? "That request ended without a restart. Ask for another one." : "The bot restarts nothing by itself: you ask, and somebody else decides.", label: "Ask for a restart", run: () => this.send(REASON), waits: true },
      { title: "switch to an approver", text: `${firstName(asker)} asked, so somebody else has to approve.`, label: other ? `Act as ${firstName(other.id)}` : "", run: () => emit("act-as", other.id) },
      { title: "approve", text: "Approve on the card. A dialog says what the restart ends; confirm it there.", label: "Approve on the card", run: () => this.approve() },
      ended
        ? { title: "read the result", text: "The card says how long the restart took, who asked and who approved.", label: "Show the result", run: () => this.result() }
        : { title: "read the result", text: "The pod restarts now, which takes some seconds. Its card shows the result.", label: "Show the card", run: () => this.toCard() },
      { title: "That was the tour", text: `Break something else in the panel, or type ${slash()} help.`, label: "Start again", run: () => this.again() },
    ];
    return steps[done];
  }

  async act() {
    if (this.action.getAttribute("aria-busy") === "true") return;
    const step = this.step(this.facts.done());
    const shown = this.shown;
    await step.run();
    if (step.waits && this.shown === shown) this.wait();
  }

  /** Show that the bot's answer is awaited, for some seconds at most. */
  wait() {
    this.action.setAttribute("aria-busy", "true");
    this.action.classList.add("is-busy");
    this.timer = setTimeout(() => this.rest(), PATIENCE_MS);
  }

  rest() {
    clearTimeout(this.timer);
    this.action.removeAttribute("aria-busy");
    this.action.classList.remove("is-busy");
  }

  async send(text) {
    emit("go", { channel: room() });
    const answer = await busyWhile(this.action, api.command({ user: state.user, channel: room(), command: slash(), text }));
    if (!answer.ok) toast(`That did not work: ${explain(answer.error)}`);
  }

  async breakIt() {
    const { item, value } = tourBreak();
    const answer = await busyWhile(this.action, api.setBreak(item.id, value));
    if (!answer.ok) toast(`${item.label}: ${answer.error}`);
    state.breaks = answer.breaks ?? state.breaks;
    emit("breaks");
  }

  /** Go to the card and bring it into view; null while it is not loaded. */
  toCard() {
    const { channel, ts } = this.facts.facts.card;
    if (state.home || state.channel !== channel) emit("go", { channel });
    const card = document.querySelector(`.main [data-message-ts="${CSS.escape(ts)}"]`);
    card?.scrollIntoView({ block: "start" });
    return card;
  }

  approve() {
    const buttons = [...(this.toCard()?.querySelectorAll("button") ?? [])];
    const approve = buttons.find((button) => button.textContent === "Approve");
    if (approve) approve.click();
    else toast("The card is being loaded. Try again.", "info");
  }

  result() {
    this.toCard();
    this.facts.markRead();
    this.draw();
  }

  again() {
    emit("act-as", people()[0].id);
    this.facts.again();
    this.draw();
  }
}
