// rich_text blocks (and rich_text table cells) as DOM. Nothing in them is mrkdwn: text is literal.

import { h, link } from "./dom.js";
import { broadcastMention, channelMention, dateNode, emojiNode, userMention } from "./inline.js";

/** The nodes of a rich_text block's elements; neighbouring lists become one outline. */
export function richText(block) {
  const counters = [];
  return (block.elements ?? []).map((element) => {
    if (element.type !== "rich_text_list") counters.length = 0;
    return richElement(element, counters);
  });
}

function richElement(element, counters) {
  const children = element.elements ?? [];
  switch (element.type) {
    case "rich_text_list":
      return richList(element, counters);
    case "rich_text_quote":
      return h("blockquote", { dir: "auto" }, children.map(leaf));
    case "rich_text_preformatted":
      return h("pre", { class: "pre", tabindex: "0", dir: "auto" }, children.map(leaf));
    default:
      return h("div", { class: "rich-section", dir: "auto" }, children.map(leaf));
  }
}

// Slack splits an outline into one list per change of indent; numbers go on where the level left off.
function richList(element, counters) {
  const indent = Math.max(0, Math.min(8, element.indent ?? 0));
  const ordered = element.style === "ordered";
  counters.length = Math.min(counters.length, indent + 1);
  const start = element.offset ? element.offset + 1 : (counters[indent] ?? 0) + 1;
  const items = element.elements ?? [];
  counters[indent] = start - 1 + items.length;
  const kind = `${ordered ? "ordered" : "bullet"}-${indent % 3}`;
  const tag = ordered ? "ol" : "ul";
  return h(tag, { class: `rich-list depth-${indent} ${kind}`, start: ordered ? start : null },
    items.map((item) => h("li", { dir: "auto" }, (item.elements ?? []).map(leaf))));
}

function leaf(element) {
  return styled(bare(element), element.style ?? {});
}

function bare(element) {
  switch (element.type) {
    case "text":
      return document.createTextNode(element.text ?? "");
    case "link":
      return link(element.url, element.text || element.url);
    case "emoji":
      return emojiNode(element.name, fromCode(element.unicode));
    case "user":
      return userMention(element.user_id);
    case "channel":
      return channelMention(element.channel_id);
    case "usergroup":
      return h("span", { class: "mention" }, `@${element.usergroup_id}`);
    case "broadcast":
      return broadcastMention(element.range);
    case "date":
      return dateNode({ ...element, fallback: element.fallback ?? "" });
    case "color":
      return h("code", {}, element.value);
    default:
      return h("span", { class: "unsupported-inline" }, `[${element.type}]`);
  }
}

function fromCode(unicode) {
  if (!/^[0-9a-f]{1,6}(-[0-9a-f]{1,6})*$/i.test(unicode ?? "")) return undefined;
  return String.fromCodePoint(...unicode.split("-").map((hex) => Math.min(0x10ffff, parseInt(hex, 16))));
}

function styled(node, style) {
  let wrapped = node;
  for (const [name, tag] of [["code", "code"], ["strike", "s"], ["underline", "u"], ["italic", "em"], ["bold", "strong"]]) {
    if (style[name]) wrapped = h(tag, {}, wrapped);
  }
  return wrapped;
}
