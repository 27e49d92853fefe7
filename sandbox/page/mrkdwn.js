// Slack's mrkdwn as a small tree (`parse`), and that tree as DOM nodes (`render`).
// Reference: docs.slack.dev, "Formatting text for app surfaces".

import { emojiFor } from "./emoji.js";
import { inlineNode } from "./inline.js";
import { h } from "./dom.js";

const ENTITIES = { amp: "&", lt: "<", gt: ">" };

/** Undo the three entities that Slack escapes; any other "&…;" stays as it is. */
export const unescapeEntities = (text) => text.replace(/&(amp|lt|gt);/g, (_, name) => ENTITIES[name]);

/** Blocks: paragraph, pre, quote, list. `verbatim` switches off links made from bare addresses. */
export function parse(source, { verbatim = false } = {}) {
  const blocks = [];
  const parts = String(source ?? "").split(/```([\s\S]+?)```/);
  parts.forEach((part, index) => {
    if (index % 2) blocks.push({ type: "pre", text: unescapeEntities(part.replace(/^\n|\n$/g, "")) });
    else blocks.push(...lineBlocks(betweenFences(part, index, parts.length), verbatim));
  });
  return blocks;
}

// The line breaks that touch a fence belong to it.
function betweenFences(part, index, count) {
  const tail = index > 0 ? part.replace(/^ *\n/, "") : part;
  return index < count - 1 ? tail.replace(/\n *$/, "") : tail;
}

const QUOTE = /^(?:&gt;|>) ?/;
const LONG_QUOTE = /^(?:&gt;|>){3} ?/;
const ITEM = /^(\s*)([•◦▪‣]|[-*]|\d{1,3}[.)])\s+(?=\S)/;

function lineBlocks(text, verbatim) {
  if (text === "") return [];
  const blocks = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i += 1) {
    if (LONG_QUOTE.test(lines[i])) {
      const rest = [lines[i].replace(LONG_QUOTE, ""), ...lines.slice(i + 1)].join("\n");
      blocks.push({ type: "quote", children: lineBlocks(rest, verbatim) });
      break;
    }
    addLine(blocks, lines[i], verbatim);
  }
  return blocks;
}

function addLine(blocks, line, verbatim) {
  const last = blocks.at(-1);
  const item = ITEM.exec(line);
  if (QUOTE.test(line)) {
    const inner = inline(line.replace(QUOTE, ""), verbatim);
    if (last?.type === "quote") last.children[0].lines.push(inner);
    else blocks.push({ type: "quote", children: [{ type: "paragraph", lines: [inner] }] });
  } else if (item) {
    const entry = { indent: item[1].length, marker: item[2], children: inline(line.slice(item[0].length), verbatim) };
    if (last?.type === "list") last.items.push(entry);
    else blocks.push({ type: "list", items: [entry] });
  } else if (last?.type === "paragraph") last.lines.push(inline(line, verbatim));
  else blocks.push({ type: "paragraph", lines: [inline(line, verbatim)] });
}

const MARKS = { "*": "bold", _: "italic", "~": "strike" };
const WORD = /[\p{L}\p{N}]/u;

/** One line of text as inline nodes. */
export function inline(text, verbatim = false) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push({ type: "text", text: unescapeEntities(plain) });
    plain = "";
  };
  for (let i = 0; i < text.length; ) {
    const found = tokenAt(text, i, verbatim);
    if (found) {
      flush();
      nodes.push(found.node);
      i += found.length;
    } else {
      plain += text[i];
      i += 1;
    }
  }
  flush();
  return nodes;
}

function tokenAt(text, i, verbatim) {
  switch (text[i]) {
    case "`":
      return codeAt(text, i);
    case "<":
      return angleAt(text, i);
    case ":":
      return emojiAt(text, i);
    case "*":
    case "_":
    case "~":
      return styledAt(text, i, verbatim);
    case "h":
      return verbatim ? null : addressAt(text, i);
    default:
      return null;
  }
}

function codeAt(text, i) {
  const match = /^`([^`]+)`/.exec(text.slice(i));
  return match && { node: { type: "code", text: unescapeEntities(match[1]) }, length: match[0].length };
}

function emojiAt(text, i) {
  const match = /^:([a-z0-9_+'-]+):(?::skin-tone-([2-6]):)?/.exec(text.slice(i));
  if (!match || !emojiFor(match[1])) return null;
  const glyph = emojiFor(match[1], Number(match[2] ?? 0));
  return { node: { type: "emoji", name: match[1], glyph }, length: match[0].length };
}

function addressAt(text, i) {
  if (i > 0 && WORD.test(text[i - 1])) return null;
  const match = /^https?:\/\/[^\s<>|`]+/.exec(text.slice(i));
  if (!match) return null;
  const raw = match[0].replace(/(?:[.,;:!?)\]}"'*_~]|&gt;)+$/, "");
  const url = unescapeEntities(raw);
  return { node: { type: "link", url, children: [{ type: "text", text: url }] }, length: raw.length };
}

// A style opens after a non-word character and closes before one; it hugs its text and stays on its line.
function styledAt(text, i, verbatim) {
  const mark = text[i];
  const next = text[i + 1];
  if ((i > 0 && (WORD.test(text[i - 1]) || text[i - 1] === mark)) || !next || next === mark || /\s/.test(next)) return null;
  const end = closing(text, i + 1, mark);
  if (end < 0) return null;
  const children = inline(text.slice(i + 1, end), verbatim);
  return { node: { type: MARKS[mark], children }, length: end + 1 - i };
}

function closing(text, from, mark) {
  for (let i = from; i < text.length; i += 1) {
    const skip = (text[i] === "`" && codeAt(text, i)) || (text[i] === "<" && angleAt(text, i));
    if (skip) i += skip.length - 1;
    else if (text[i] === mark && i > from && !/\s/.test(text[i - 1]) && !WORD.test(text[i + 1] ?? " ") && text[i + 1] !== mark) return i;
  }
  return -1;
}

function angleAt(text, i) {
  const match = /^<([^<>]+)>/.exec(text.slice(i));
  const node = match && angleNode(match[1]);
  return node ? { node, length: match[0].length } : null;
}

const REFERENCE = /^([@#])([A-Z0-9]+)(?:\|(.*))?$/;
const SPECIAL = /^!(here|channel|everyone)(?:\|.*)?$/;
const GROUP = /^!subteam\^([A-Z0-9]+)(?:\|(.*))?$/;
const DATE = /^!date\^(\d+)\^([^^|]+)(?:\^([^|]+))?(?:\|(.*))?$/;
const LINK = /^((?:https?|mailto|tel):[^|]+)(?:\|(.*))?$/i;

function angleNode(body) {
  const label = (text) => (text ? unescapeEntities(text) : null);
  let match = REFERENCE.exec(body);
  if (match) return { type: match[1] === "@" ? "user" : "channel", id: match[2], label: label(match[3]) };
  if ((match = SPECIAL.exec(body))) return { type: "broadcast", range: match[1] };
  if ((match = GROUP.exec(body))) return { type: "usergroup", id: match[1], label: label(match[2]) };
  if ((match = DATE.exec(body))) {
    return { type: "date", timestamp: match[1], format: match[2], url: label(match[3]), fallback: label(match[4]) ?? "" };
  }
  if (!(match = LINK.exec(body))) return null;
  const url = unescapeEntities(match[1]);
  const children = match[2] ? inline(match[2], true) : [{ type: "text", text: url.replace(/^(mailto|tel):/, "") }];
  return { type: "link", url, children };
}

/** DOM nodes for mrkdwn text. */
export function render(source, options) {
  return parse(source, options).map(blockNode);
}

function blockNode(block) {
  switch (block.type) {
    case "pre":
      return h("pre", { class: "pre", tabindex: "0", dir: "auto" }, block.text);
    case "quote":
      return h("blockquote", {}, block.children.map(blockNode));
    case "list":
      return h("ul", { class: "marked" }, block.items.map(itemNode));
    default:
      return h("p", { dir: "auto" }, block.lines.map((line, i) => [i ? h("br") : null, line.map(inlineNode)]));
  }
}

function itemNode(item) {
  const depth = Math.min(4, Math.ceil(item.indent / 2));
  return h("li", { class: `depth-${depth}`, dir: "auto" }, h("span", { class: "marker" }, item.marker), h("span", {}, item.children.map(inlineNode)));
}

/** Whether a text is nothing but up to `most` emoji, which chat clients draw large. */
export function isJumbo(source, most = 8) {
  const blocks = parse(source);
  const nodes = blocks.length === 1 && blocks[0].type === "paragraph" ? blocks[0].lines.flat() : [];
  const emoji = nodes.filter((node) => node.type === "emoji").length;
  return emoji > 0 && emoji <= most && nodes.every((node) => node.type === "emoji" || (node.type === "text" && !node.text.trim()));
}
