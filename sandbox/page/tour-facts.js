// What has really happened of the tour, read from the messages, the panel and the acting user. No DOM here.

import { messagesOf, people, state } from "./state.js";

const KEY = "agentpod-tour";
const SEEN = "agentpod_tour=seen";
const BREAK = "pod-kill-process";
const PROCESS = "sshd";
const GOING = /needs approval|has \d+ of \d+ approvals|under way|waiting/;
const DONE = /^\S+ Restarted /;

const fresh = () => ({ since: Date.now() / 1000, answered: false, named: false, card: null, asker: null, decided: false, ended: "", read: false });

/** The break that the tour uses, or null where this sandbox does not have it. */
export function tourBreak() {
  const item = state.breaks.find((each) => each.id === BREAK && each.options.some((option) => option.value === PROCESS));
  return item ? { item, value: PROCESS, active: item.value === PROCESS } : null;
}

/** Somebody who may approve and did not ask. */
export const approver = (asker) => people().find((user) => user.id !== asker && /approver/.test(user.note)) ?? null;

/** The facts of one sandbox's tour; they survive a reload, but not the sandbox's end. */
export class TourFacts {
  constructor({ open = false } = {}) {
    const kept = read();
    const same = kept?.run === state.run;
    this.run = state.run;
    this.facts = same ? kept.facts : fresh();
    this.wasOpen = same ? kept.open : null;
    this.open = open;
  }

  /** Whether the tour opens by itself: as it was left, else for whoever has not seen it. */
  wantsOpen() {
    return this.wasOpen ?? !document.cookie.split("; ").includes(SEEN);
  }

  setOpen(open) {
    this.open = open;
    // A cookie, since another sandbox has another port, and storage belongs to one.
    if (!open) document.cookie = `${SEEN}; path=/; max-age=31536000; SameSite=Strict`;
    this.keep();
  }

  again() {
    this.facts = fresh();
    this.keep();
  }

  markRead() {
    this.facts.read = true;
    this.keep();
  }

  /** Take what the loaded messages of a channel say; true if that is news. */
  take(channel) {
    const before = JSON.stringify(this.facts);
    // A card that waits counts although it is older: whoever decides may have a browser of their own.
    for (const message of messagesOf(channel)) if (Number(message.ts) > this.facts.since || waits(message)) this.takeMessage(channel, message);
    if (before === JSON.stringify(this.facts)) return false;
    this.keep();
    return true;
  }

  takeMessage(channel, message) {
    const { facts } = this;
    if (!state.users.get(message.user)?.is_bot) return;
    const text = message.text ?? "";
    const commands = commandsOf(message);
    if (commands.includes("status")) {
      facts.answered = true;
      facts.named ||= text.includes(PROCESS);
    }
    const isLater = !facts.card || Number(message.ts) >= Number(facts.card.ts);
    if (isCard(message) && isLater && facts.ended !== "restarted") {
      Object.assign(facts, { card: { channel, ts: message.ts }, asker: askerOf(message), decided: false, ended: "" });
    } else if (message.ts === facts.card?.ts) {
      facts.decided = true;
      facts.ended = DONE.test(text) ? "restarted" : GOING.test(text) ? "" : "otherwise";
    }
  }

  /** The number of steps that are done: 0 to 7. */
  done() {
    const { facts } = this;
    if (facts.card && facts.ended !== "otherwise") {
      if (facts.ended) return facts.read ? 7 : 6;
      if (facts.decided) return 6;
      const me = state.users.get(state.user);
      return me && me.id !== facts.asker && /approver/.test(me.note) ? 5 : 4;
    }
    if (facts.named) return 3;
    if (tourBreak()?.active) return 2;
    return facts.answered ? 1 : 0;
  }

  keep() {
    try {
      localStorage.setItem(KEY, JSON.stringify({ run: state.run, open: this.open, facts: this.facts }));
    } catch {
      // Without storage the tour lasts as long as the page.
    }
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

const isCard = (message) => (message.text ?? "").includes("Restart of") && commandsOf(message).some((line) => line.startsWith("approve "));
const waits = (message) => isCard(message) && message.text.includes("needs approval");

/** The commands behind a message's buttons. */
function commandsOf(message) {
  const buttons = (message.blocks ?? []).filter((block) => block.type === "actions").flatMap((block) => block.elements ?? []);
  return buttons.map((button) => {
    try {
      return String(JSON.parse(button.value).c);
    } catch {
      return "";
    }
  });
}

function askerOf(message) {
  const found = JSON.stringify(message.blocks ?? []).match(/"user_id":\s*"(\w+)"/);
  return found ? found[1] : null;
}
