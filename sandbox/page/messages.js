// The list of messages in a channel or a thread: grouping, days, ephemerals, files, following the newest.

import { blockNodes } from "./blocks.js";
import { add, fill, h, isLocal, link, safeUrl, toast } from "./dom.js";
import { icon } from "./icons.js";
import { avatar, cssColor } from "./inline.js";
import { isJumbo, render } from "./mrkdwn.js";
import { messageMenu } from "./shortcuts.js";
import { dismiss, emit, isReply, state } from "./state.js";
import { Surface } from "./surface.js";
import { ago, clock, dayKey, dayLabel, fileSize, fullTime } from "./time.js";

const GROUP_SECONDS = 300;
const NEAR_END_PX = 80;

/** A scrolling list, redrawn on every change, that keeps the rows that did not change. */
export class MessageList {
  constructor({ label, inThread = false, intro = () => null }) {
    this.inThread = inThread;
    this.intro = intro;
    this.rows = new Map();
    this.unseen = 0;
    this.log = h("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": label });
    this.pill = h("button", { class: "pill", type: "button", hidden: true, data: { newMessages: "" }, onclick: () => this.toEnd() });
    this.scroller = h("div", { class: "scroller", tabindex: "0", onscroll: () => this.atEnd() && this.seen() }, this.log);
    this.node = h("div", { class: "messages" }, this.scroller, this.pill);
    this.follow = new ResizeObserver(() => this.stuck && this.toEnd());
    this.follow.observe(this.log);
    this.follow.observe(this.scroller);
    this.stuck = true;
  }

  /** Draw `messages`; `place` identifies the channel or thread, a new one starts at its end. */
  draw(place, messages, fresh = null) {
    const moved = place !== this.place;
    if (moved) this.rows.clear();
    this.place = place;
    const follow = moved || this.atEnd() || fresh?.user === state.user;
    const held = heldFocus(this.log);
    this.reconcile(this.wanted(messages));
    giveBack(this.log, held);
    if (follow) this.toEnd();
    else if (fresh) this.announce();
  }

  wanted(messages) {
    const nodes = [this.keyed("intro", null, () => this.intro() ?? h("span"))];
    messages.forEach((message, i) => {
      const before = messages[i - 1];
      if (!before || dayKey(before.ts) !== dayKey(message.ts)) nodes.push(this.divider(message));
      const compact = Boolean(before) && continues(before, message) && !(this.inThread && i === 1);
      nodes.push(this.row(message, compact));
      if (this.inThread && i === 0) nodes.push(this.replyCount(messages.length - 1));
    });
    return nodes;
  }

  divider(message) {
    return this.keyed(`day ${dayKey(message.ts)}`, dayLabel(message.ts), () => h("div", { class: "day", role: "separator" }, h("span", {}, dayLabel(message.ts))));
  }

  replyCount(count) {
    return this.keyed("replies", count, () => h("div", { class: "reply-line" }, h("span", {}, count ? plural(count, "reply", "replies") : "No replies yet")));
  }

  row(message, compact) {
    return this.keyed(`m ${message.ts}`, message, () => messageNode(message, { compact, inThread: this.inThread }), compact);
  }

  // Unchanged content keeps its node, and with it what is open or typed in it.
  keyed(key, content, make, variant = null) {
    const known = this.rows.get(key);
    if (known && known.content === content && known.variant === variant && key !== "intro") return known.node;
    const node = make();
    this.rows.set(key, { content, variant, node });
    return node;
  }

  reconcile(nodes) {
    const keep = new Set(nodes);
    for (const child of [...this.log.children]) if (!keep.has(child)) child.remove();
    let at = this.log.firstChild;
    for (const node of nodes) {
      if (node === at) at = at.nextSibling;
      else this.log.insertBefore(node, at);
    }
    for (const [key, { node }] of this.rows) if (!keep.has(node)) this.rows.delete(key);
  }

  atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    if (clientHeight) this.stuck = scrollHeight - scrollTop - clientHeight < NEAR_END_PX; // a hidden pane keeps its place
    return this.stuck;
  }

  toEnd() {
    this.stuck = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.seen();
  }

  announce() {
    this.unseen += 1;
    fill(this.pill, icon("down"), plural(this.unseen, "new message", "new messages"));
    this.pill.hidden = false;
  }

  seen() {
    this.unseen = 0;
    this.pill.hidden = true;
  }
}

/** The message that has the focus, and the action in it; null if none has it. */
function heldFocus(log) {
  const row = log.contains(document.activeElement) ? document.activeElement.closest("[data-message-ts]") : null;
  return row ? { ts: row.dataset.messageTs, action: document.activeElement.dataset.actionId } : null;
}

/** Focus a message again that was drawn anew: the same action, or the message where that is gone. */
function giveBack(log, held) {
  if (!held || log.contains(document.activeElement)) return;
  const row = log.querySelector(`[data-message-ts="${CSS.escape(held.ts)}"]`);
  const action = held.action ? row?.querySelector(`[data-action-id="${CSS.escape(held.action)}"]`) : null;
  if (!action) row?.setAttribute("tabindex", "-1");
  (action ?? row)?.focus({ preventScroll: true });
}

const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

function continues(before, message) {
  return before.user === message.user && before.username === message.username && !before.ephemeral_for && !message.ephemeral_for
    && !before.reply_count && Number(message.ts) - Number(before.ts) < GROUP_SECONDS;
}

function author(message) {
  const user = state.users.get(message.user);
  const name = message.username || user?.real_name || user?.name || message.user || "unknown";
  return { user, name, isApp: Boolean(user?.is_bot) };
}

/** One message as a row. */
export function messageNode(message, { compact = false, inThread = false } = {}) {
  const { user, name, isApp } = author(message);
  const surface = new Surface({ channel: message.channel ?? state.channel, message_ts: message.ts });
  const node = h("article", {
    class: `message${compact ? " compact" : ""}${message.ephemeral_for ? " ephemeral" : ""}`,
    "aria-label": `${name}, ${clock(message.ts)}`,
    data: { messageTs: message.ts, user: message.user ?? "", ...(message.ephemeral_for ? { ephemeral: "" } : {}) },
  });
  return add(node, [
    message.ephemeral_for ? ephemeralHead() : null,
    compact ? h("div", { class: "gutter" }, time(message, true)) : h("div", { class: "gutter" }, avatar(user ?? { name })),
    h("div", { class: "message-main" },
      compact ? null : h("div", { class: "message-head" }, h("span", { class: "author" }, name), isApp ? h("span", { class: "app-badge" }, "APP") : null, time(message)),
      body(message, surface),
      message.ephemeral_for ? dismissLine(message) : null,
      inThread ? null : threadLink(message)),
    message.local ? null : tools(message, inThread),
  ]);
}

function time(message, short = false) {
  return h("time", { class: short ? "time time-short" : "time", datetime: new Date(Number(message.ts) * 1000).toISOString(), title: fullTime(message.ts) }, short ? clock(message.ts).replace(/\s?[ap]m$/i, "") : clock(message.ts));
}

const ephemeralHead = () => h("div", { class: "ephemeral-head" }, icon("eye"), "Only visible to you");

function dismissLine(message) {
  return h("div", { class: "ephemeral-foot" }, h("button", { class: "text-button", type: "button", data: { dismiss: message.ts }, onclick: () => dismiss(state.channel, message) }, "Dismiss message"));
}

function body(message, surface) {
  const edited = message.edited ? h("span", { class: "edited", title: "Edited after it was sent" }, "(edited)") : null;
  const blocks = message.blocks?.length ? blockNodes(message.blocks, surface) : null;
  const jumbo = !blocks && isJumbo(message.text ?? "") ? " jumbo" : "";
  return h("div", { class: "body" },
    blocks ?? (message.text ? h("div", { class: `text${jumbo}` }, render(message.text)) : null),
    (message.attachments ?? []).map((each) => attachment(each, surface)),
    (message.files ?? []).map(fileNode),
    edited);
}

function attachment(each, surface) {
  const bar = h("div", { class: "attachment-bar" });
  if (each.color) bar.style.background = cssColor(each.color);
  const title = each.title ? h("p", { class: "attachment-title" }, each.title_link ? link(each.title_link, render(each.title)) : render(each.title)) : null;
  const fields = (each.fields ?? []).map((field) => h("div", { class: field.short ? "field" : "field wide" }, h("strong", {}, field.title), h("div", { class: "text" }, render(field.value))));
  const text = each.text ? h("div", { class: "text" }, render(each.text)) : null;
  const plain = [each.author_name ? h("p", { class: "muted" }, each.author_name) : null, title, text, fields.length ? h("div", { class: "fields" }, fields) : null];
  return h("div", { class: "attachment-wrap" },
    each.pretext ? h("div", { class: "text" }, render(each.pretext)) : null,
    h("div", { class: "attachment" }, bar, h("div", { class: "attachment-main" },
      each.blocks?.length ? blockNodes(each.blocks, surface) : plain,
      each.footer ? h("p", { class: "muted attachment-footer" }, each.footer) : null)));
}

function fileNode(file) {
  if (/^image\//.test(file.mimetype ?? "") && isLocal(file.url)) return imageFile(file);
  const actions = h("a", { class: "button button-icon", href: safeUrl(file.url), download: file.name, "aria-label": `Download ${file.name}`, data: { download: file.id } }, icon("download"));
  const head = h("div", { class: "file-head" }, h("span", { class: "file-icon" }, icon("file")),
    h("div", { class: "file-names" }, h("span", { class: "file-name", dir: "auto" }, file.title || file.name), h("span", { class: "muted" }, `${kind(file)} · ${fileSize(file.size)}`)), actions);
  return h("div", { class: "file", data: { fileId: file.id } }, head, file.preview ? snippet(file) : null);
}

const kind = (file) => (file.name?.includes(".") ? file.name.split(".").at(-1).toUpperCase() : (file.mimetype ?? "File"));

function imageFile(file) {
  return h("figure", { class: "file-image", data: { fileId: file.id } }, h("figcaption", { class: "muted" }, file.title || file.name),
    h("a", { href: safeUrl(file.url), target: "_blank", rel: "noopener" }, h("img", { src: safeUrl(file.url), alt: file.alt_txt || file.title || file.name, loading: "lazy" })));
}

function snippet(file) {
  const text = h("pre", { class: "snippet", tabindex: "0" }, file.preview);
  const more = h("button", { class: "text-button snippet-more", type: "button", "aria-expanded": "false" }, "Show whole file");
  more.addEventListener("click", async () => {
    const response = await fetch(safeUrl(file.url)).catch(() => null);
    if (!response?.ok) return toast(`${file.name} could not be loaded`);
    text.textContent = await response.text();
    text.classList.add("whole");
    return more.remove();
  });
  return [text, more];
}

function threadLink(message) {
  if (!message.reply_count || isReply(message)) return null;
  const last = message.latest_reply ? h("span", { class: "muted" }, `Last reply ${ago(message.latest_reply)}`) : null;
  return h("button", { class: "thread-link", type: "button", data: { thread: message.ts }, onclick: () => emit("open-thread", message.ts) },
    icon("chat"), h("span", { class: "thread-count" }, plural(message.reply_count, "reply", "replies")), last);
}

function tools(message, inThread) {
  const copy = async () => {
    await navigator.clipboard?.writeText(message.text ?? "").then(() => toast("Copied", "info"), () => toast("The browser did not allow copying"));
  };
  const reply = inThread || message.ephemeral_for || isReply(message) ? null
    : h("button", { class: "tool", type: "button", "aria-label": "Reply in thread", title: "Reply in thread", data: { reply: message.ts }, onclick: () => emit("open-thread", message.ts) }, icon("reply"));
  return h("div", { class: "tools" }, reply, h("button", { class: "tool", type: "button", "aria-label": "Copy text", title: "Copy text", onclick: copy }, icon("copy")), messageMenu(message));
}
