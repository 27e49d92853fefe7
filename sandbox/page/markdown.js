// The `markdown` block: standard Markdown as Slack renders it (headings, lists, tables, code, quotes).

import { emojiFor } from "./emoji.js";
import { h } from "./dom.js";
import { inlineNode } from "./inline.js";

const FENCE = /^ {0,3}(```+|~~~+)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(?:\[([ xX])\]\s+)?(.*)$/;
const QUOTE = /^ {0,3}> ?/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** DOM nodes for Markdown text. */
export function markdown(source) {
  const lines = String(source ?? "").replace(/\r\n?/g, "\n").split("\n");
  const nodes = [];
  while (lines.length) {
    const node = takeBlock(lines);
    if (node) nodes.push(node);
  }
  return nodes;
}

function takeBlock(lines) {
  const line = lines[0];
  if (!line.trim()) return void lines.shift();
  if (FENCE.test(line)) return takeFence(lines);
  if (HEADING.test(line)) return takeHeading(lines);
  if (RULE.test(line)) return lines.shift(), h("hr");
  if (QUOTE.test(line)) return h("blockquote", {}, markdown(takeWhile(lines, (l) => QUOTE.test(l)).map((l) => l.replace(QUOTE, "")).join("\n")));
  if (ITEM.test(line)) return takeList(lines);
  if (line.includes("|") && TABLE_RULE.test(lines[1] ?? "")) return takeTable(lines);
  return takeParagraph(lines);
}

function takeWhile(lines, test) {
  const taken = [];
  while (lines.length && test(lines[0])) taken.push(lines.shift());
  return taken;
}

function takeFence(lines) {
  const fence = FENCE.exec(lines.shift())[1];
  const body = takeWhile(lines, (line) => !line.trimStart().startsWith(fence));
  lines.shift();
  return h("pre", { class: "pre", tabindex: "0", dir: "auto" }, body.join("\n"));
}

function takeHeading(lines) {
  const [, marks, text] = HEADING.exec(lines.shift());
  return h("p", { class: `md-heading md-heading-${marks.length}`, role: "heading", "aria-level": marks.length + 2, dir: "auto" }, inlines(text));
}

function takeList(lines) {
  const items = takeWhile(lines, (line) => ITEM.test(line));
  return h("ul", { class: "marked" }, items.map((line) => {
    const [, space, marker, task, text] = ITEM.exec(line);
    const shown = task === undefined ? (/\d/.test(marker) ? marker : "•") : task === " " ? "☐" : "☑";
    return h("li", { class: `depth-${Math.min(4, Math.ceil(space.length / 2))}`, dir: "auto" }, h("span", { class: "marker" }, shown), h("span", {}, inlines(text)));
  }));
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

function takeTable(lines) {
  const head = cells(lines.shift());
  const aligns = cells(lines.shift()).map((rule) => (rule.endsWith(":") ? (rule.startsWith(":") ? "center" : "right") : "left"));
  const rows = takeWhile(lines, (line) => line.trim() && line.includes("|")).map(cells);
  const row = (tag) => (values) => h("tr", {}, values.map((text, i) => h(tag, { class: `align-${aligns[i] ?? "left"}`, dir: "auto" }, inlines(text))));
  return h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": "Table" },
    h("table", {}, h("thead", {}, row("th")(head)), h("tbody", {}, rows.map(row("td")))));
}

function takeParagraph(lines) {
  const first = lines.shift();
  const rest = takeWhile(lines, (l) => l.trim() && !FENCE.test(l) && !HEADING.test(l) && !QUOTE.test(l) && !ITEM.test(l) && !RULE.test(l));
  return h("p", { dir: "auto" }, [first, ...rest].flatMap((line, i) => [i ? h("br") : null, inlines(line.trimEnd())]));
}

const inlines = (text) => parseInline(text).map(inlineNode);

const PATTERNS = [
  [/^\\([\\`*_{}[\]()#+.!|~>-])/, (m) => ({ type: "text", text: m[1] })],
  [/^(`+)(.+?)\1(?!`)/, (m) => ({ type: "code", text: m[2].replace(/^ (.+) $/, "$1") })],
  [/^!?\[([^\]]*)\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)/, (m) => ({ type: "link", url: m[2], children: parseInline(m[1] || m[2]) })],
  [/^<(https?:\/\/[^\s<>]+)>/, (m) => ({ type: "link", url: m[1], children: [{ type: "text", text: m[1] }] })],
  [/^\*\*(?=\S)([\s\S]*?\S)\*\*/, (m) => ({ type: "bold", children: parseInline(m[1]) })],
  [/^__(?=\S)([\s\S]*?\S)__(?!\w)/, (m) => ({ type: "bold", children: parseInline(m[1]) })],
  [/^~~(?=\S)([\s\S]*?\S)~~/, (m) => ({ type: "strike", children: parseInline(m[1]) })],
  [/^\*(?=\S)([^*]*?[^\s*])\*/, (m) => ({ type: "italic", children: parseInline(m[1]) })],
  [/^_(?=\S)([^_]*?[^\s_])_(?!\w)/, (m) => ({ type: "italic", children: parseInline(m[1]) })],
  [/^:([a-z0-9_+'-]+):/, (m) => emojiFor(m[1]) && { type: "emoji", name: m[1] }],
  [/^https?:\/\/[^\s<>)]*[^\s<>).,;:!?'"*_~]/, (m) => ({ type: "link", url: m[0], children: [{ type: "text", text: m[0] }] })],
];

/** One paragraph of Markdown as the inline tree that mrkdwn uses too. */
export function parseInline(text) {
  const nodes = [];
  let plain = "";
  for (let i = 0; i < text.length; ) {
    const [node, length] = matchAt(text, i);
    if (node) {
      if (plain) nodes.push({ type: "text", text: plain });
      plain = "";
      nodes.push(node);
      i += length;
    } else plain += text[i++];
  }
  if (plain) nodes.push({ type: "text", text: plain });
  return nodes;
}

function matchAt(text, i) {
  if (!/[\\`![<*_~:h]/.test(text[i])) return [null, 0];
  if (/[_h]/.test(text[i]) && /\w/.test(text[i - 1] ?? "")) return [null, 0];
  const rest = text.slice(i);
  for (const [pattern, make] of PATTERNS) {
    const match = pattern.exec(rest);
    const node = match && make(match);
    if (node) return [node, match[0].length];
  }
  return [null, 0];
}
