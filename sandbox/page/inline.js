// The inline nodes that mrkdwn, Markdown and rich text share, as DOM.

import { emojiFor } from "./emoji.js";
import { h, link } from "./dom.js";
import { icon } from "./icons.js";
import { channelName, state, userName } from "./state.js";
import { fullTime, slackDate } from "./time.js";

/** An emoji with its shortcode as the accessible name; an unknown one stays ":name:". */
export function emojiNode(name, glyph = emojiFor(name)) {
  if (!glyph) return document.createTextNode(`:${name}:`);
  return h("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " "), title: `:${name}:` }, glyph);
}

/** "@name", highlighted if it is the acting user. */
export function userMention(id, label = null) {
  const mine = id === state.user ? " mention-me" : "";
  return h("span", { class: `mention${mine}`, data: { mentionUser: id } }, `@${userName(id, label ?? id)}`);
}

export function channelMention(id, label = null) {
  return h("a", { class: "mention", href: `?channel=${encodeURIComponent(id)}`, data: { mentionChannel: id } }, `#${channelName(id, label ?? id)}`);
}

export const broadcastMention = (range) =>
  h("span", { class: "mention mention-me", data: { mentionBroadcast: range } }, `@${range}`);

export function dateNode({ timestamp, format, url, fallback }) {
  const text = slackDate(timestamp, format);
  if (text === null) return document.createTextNode(fallback);
  const iso = new Date(Number(timestamp) * 1000).toISOString();
  const node = h("time", { datetime: iso, title: fullTime(timestamp) }, text);
  return url ? link(url, node) : node;
}

const TAGS = { bold: "strong", italic: "em", strike: "s" };

/** A node of mrkdwn's (or Markdown's) inline tree as DOM. */
export function inlineNode(node) {
  if (TAGS[node.type]) return h(TAGS[node.type], {}, node.children.map(inlineNode));
  switch (node.type) {
    case "code":
      return h("code", {}, node.text);
    case "link":
      return link(node.url, node.children.map(inlineNode));
    case "user":
      return userMention(node.id, node.label);
    case "channel":
      return channelMention(node.id, node.label);
    case "usergroup":
      return h("span", { class: "mention" }, node.label ?? `@${node.id}`);
    case "broadcast":
      return broadcastMention(node.range);
    case "date":
      return dateNode(node);
    case "emoji":
      return emojiNode(node.name, node.glyph);
    case "break":
      return h("br");
    default:
      return document.createTextNode(node.text);
  }
}

/** Text with its shortcodes drawn and nothing else interpreted (Block Kit's plain_text). */
export function plainText(text, emoji = true) {
  if (!emoji) return [document.createTextNode(text)];
  return String(text ?? "").split(/:([a-z0-9_+'-]+):/).flatMap((part, i) => {
    if (i % 2) return [emojiNode(part)];
    return part ? [document.createTextNode(part)] : [];
  });
}

/** A person's or the app's picture: initials on their colour, or the app's icon. */
export function avatar(user, size = "m") {
  const isApp = user?.is_bot && user.id === state.app?.bot_user_id;
  if (isApp) return h("img", { class: `avatar avatar-${size}`, src: "./app.svg", alt: "", width: "36", height: "36" });
  const name = user?.real_name || user?.name || "?";
  const letters = name.split(/[\s._-]+/).filter(Boolean).slice(0, 2).map((word) => [...word][0].toUpperCase()).join("");
  const node = h("span", { class: `avatar avatar-${size}`, "aria-hidden": "true" }, user ? letters : icon("info"));
  // Through the object model: the content policy forbids style attributes, not this.
  if (user?.color) node.style.setProperty("--avatar", cssColor(user.color));
  return node;
}

/** Slack gives colours as bare hex ("36a64f") or as words; CSS wants the "#". */
export function cssColor(color) {
  const words = { good: "var(--good)", warning: "var(--warn)", danger: "var(--bad)" };
  if (words[color]) return words[color];
  return /^[0-9a-f]{3}(?:[0-9a-f]{3})?$/i.test(color) ? `#${color}` : color;
}
