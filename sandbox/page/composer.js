// The box in which messages and commands are typed.

import { api } from "./api.js";
import { completionsAt, withReferences } from "./completion.js";
import { fill, h, toast, uid } from "./dom.js";
import { icon } from "./icons.js";
import { avatar } from "./inline.js";
import { lightning } from "./shortcuts.js";
import { addLocalNote, on, state } from "./state.js";
import { explain } from "./surface.js";

const HISTORY = "agentpod-typed";
const MOST_LINES_PX = 220;

function typedBefore() {
  try {
    return JSON.parse(sessionStorage.getItem(HISTORY)) ?? [];
  } catch {
    return [];
  }
}

/** A text box that sends with Enter, completes, and recalls what was typed. */
export class Composer {
  constructor({ label, thread = () => null }) {
    this.thread = thread;
    this.recalled = -1;
    this.drafts = new Map();
    this.text = h("textarea", { class: "composer-text", rows: "1", "aria-label": label, dir: "auto", autocomplete: "off", enterkeyhint: "send", "aria-autocomplete": "list", "aria-haspopup": "listbox", data: { composer: thread() === null ? "channel" : "thread" } });
    this.list = h("ul", { class: "complete-list", role: "listbox", id: uid("complete"), "aria-label": "Completions" });
    this.title = h("div", { class: "complete-title" });
    this.box = h("div", { class: "complete", hidden: true, data: { completion: "" } }, this.title, this.list);
    this.sendButton = h("button", { class: "send", type: "submit", "aria-label": "Send", disabled: true, data: { send: "" } }, icon("send"));
    this.running = h("div", { class: "running", role: "status" });
    this.form = h("form", { class: "composer" }, this.box, this.text,
      h("div", { class: "composer-bar" }, this.insertButton("slash", "Commands", "/"), this.insertButton("at", "Mention somebody", "@"), this.thread() === null ? lightning() : null,
        h("span", { class: "composer-help" }, h("kbd", {}, "Enter"), " sends · ", h("kbd", {}, "Shift"), "+", h("kbd", {}, "Enter"), " new line"), this.sendButton));
    this.node = h("div", { class: "composer-wrap" }, this.form, this.running);
    this.text.setAttribute("aria-controls", this.list.id);
    this.listen();
  }

  listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.text.addEventListener("input", () => {
      this.recalled = -1;
      this.changed();
    });
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener("blur", () => this.closeList());
    this.text.addEventListener("click", () => this.complete());
    on("bootstrap", () => this.complete());
  }

  insertButton(name, label, char) {
    const insert = () => {
      const { value, selectionStart: at } = this.text;
      const space = char === "@" && at > 0 && !/\s/.test(value[at - 1]) ? " " : "";
      this.text.value = char === "/" ? "/" : value.slice(0, at) + space + char + value.slice(at);
      this.text.focus();
      const caret = char === "/" ? 1 : at + space.length + 1;
      this.text.setSelectionRange(caret, caret);
      this.changed();
    };
    // Without this the text box would lose the focus, and with it its list.
    return h("button", { class: "composer-tool", type: "button", "aria-label": label, title: label, onpointerdown: (e) => e.preventDefault(), onclick: insert }, icon(name));
  }

  /** Switch to another channel or thread, keeping the draft of the previous one. */
  moveTo(place, placeholder) {
    this.text.placeholder = placeholder;
    if (place === this.place) return;
    if (this.place) this.drafts.set(this.place, this.text.value);
    this.place = place;
    this.text.value = this.drafts.get(place) ?? "";
    this.recalled = -1;
    this.changed();
    this.closeList();
  }

  changed() {
    this.sendButton.disabled = !this.text.value.trim();
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, MOST_LINES_PX)}px`;
    this.complete();
  }

  // --- completion

  complete() {
    const { value, selectionStart, selectionEnd } = this.text;
    const found = document.activeElement === this.text && selectionStart === selectionEnd ? completionsAt(value, selectionStart) : null;
    if (!found) return this.closeList();
    const key = JSON.stringify([found.kind, found.from, found.items.map((item) => item.key)]);
    if (key !== this.drawn || this.box.hidden) this.drawList(found, key);
    this.found = found;
    return undefined;
  }

  drawList(found, key) {
    this.drawn = key;
    this.steered = false;
    fill(this.title, found.kind, h("span", { class: "complete-keys" }, h("kbd", {}, "Tab"), " completes · ", h("kbd", {}, "Esc"), " closes"));
    fill(this.list, found.items.map((item, index) =>
      h("li", { class: "complete-item", role: "option", id: uid("item"), "aria-selected": "false", data: { complete: item.key }, onpointerdown: (event) => {
        event.preventDefault();
        this.accept(index);
      } }, item.user ? avatar(item.user, "s") : null, h("span", { class: "complete-label" }, item.label), item.hint ? h("span", { class: "complete-hint" }, item.hint) : null, item.note ? h("span", { class: "complete-note" }, item.note) : null)));
    this.box.hidden = false;
    this.mark(0);
  }

  mark(index) {
    const rows = [...this.list.children];
    this.active = (index + rows.length) % rows.length;
    rows.forEach((row, i) => row.setAttribute("aria-selected", String(i === this.active)));
    rows[this.active].scrollIntoView({ block: "nearest" });
    this.text.setAttribute("aria-activedescendant", rows[this.active].id);
  }

  accept(index) {
    const { from, items } = this.found;
    const { value, selectionStart } = this.text;
    const insert = items[index].insert;
    this.text.value = value.slice(0, from) + insert + value.slice(selectionStart).replace(/^ /, "");
    this.text.setSelectionRange(from + insert.length, from + insert.length);
    this.closeList();
    this.changed();
  }

  closeList() {
    this.box.hidden = true;
    this.found = null;
    this.text.removeAttribute("aria-activedescendant");
  }

  // --- keys

  key(event) {
    if (event.isComposing) return;
    if (this.found && this.listKey(event)) return void event.preventDefault();
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.recall(event);
  }

  // Enter accepts a suggestion only when it is clearly meant; a typed command is sent as typed.
  listKey(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.steered = true;
      this.mark(this.active + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Escape") this.closeList();
    else if (event.key === "Tab" && !event.shiftKey) this.accept(this.active);
    else if (event.key === "Enter" && !event.shiftKey && (this.steered || this.found.items[this.active].eager)) this.accept(this.active);
    else return false;
    return true;
  }

  recall(event) {
    const typed = typedBefore();
    const next = this.recalled + (event.key === "ArrowUp" ? 1 : -1);
    const free = this.text.value === "" || this.recalled >= 0;
    if (!free || next < -1 || next >= typed.length || (event.key === "ArrowDown" && this.recalled < 0)) return;
    event.preventDefault();
    this.recalled = next;
    this.text.value = next < 0 ? "" : typed[next];
    this.changed();
    this.closeList();
  }

  remember(text) {
    const typed = [text, ...typedBefore().filter((each) => each !== text)].slice(0, 50);
    try {
      sessionStorage.setItem(HISTORY, JSON.stringify(typed));
    } catch {
      // Without storage there is nothing to recall, but sending works.
    }
  }

  // --- sending

  async send() {
    const typed = this.text.value.trim();
    if (!typed) return;
    this.remember(typed);
    this.text.value = "";
    this.recalled = -1;
    this.changed();
    this.closeList();
    const slash = /^(\/[a-z0-9_-]+)(?:\s+([\s\S]*))?$/i.exec(typed);
    if (slash) await this.command(slash[1], slash[2] ?? "");
    else await this.say(typed);
  }

  async command(command, text) {
    const { user, channel } = state;
    const thread = this.thread();
    if (command === "/invite" && !thread) return this.invite(text);
    if (!state.commands.some((each) => each.command === command)) {
      return addLocalNote(channel, `\`${command}\` is not a valid command. Type \`/\` to see what there is.`, thread);
    }
    if (thread) return addLocalNote(channel, `\`${command}\` is not supported in threads. Sorry!`, thread);
    const line = h("span", {}, h("span", { class: "spinner" }), `Sending ${command} ${text}`);
    this.running.append(line);
    const answer = await api.command({ user, channel, command, text: withReferences(text) });
    line.remove();
    if (!answer.ok && user === state.user) addLocalNote(channel, `${command} failed with the error “${answer.error}”`);
    return undefined;
  }

  // The app is the only one that can be invited.
  async invite(name) {
    const { user, channel } = state;
    if (name.trim().replace(/^@/, "") !== state.app?.name) return addLocalNote(channel, `Only @${state.app?.name} can be invited here.`, null);
    const answer = await api.invite({ user, channel });
    if (!answer.ok) addLocalNote(channel, `/invite failed with the error “${answer.error}”`, null);
    return undefined;
  }

  async say(text) {
    const body = { user: state.user, channel: state.channel, text: withReferences(text) };
    const thread = this.thread();
    const answer = await api.message(thread ? { ...body, thread_ts: thread } : body);
    if (answer.ok) return;
    toast(`The message was not sent: ${explain(answer.error)}`);
    if (!this.text.value) {
      this.text.value = text;
      this.changed();
    }
  }
}
