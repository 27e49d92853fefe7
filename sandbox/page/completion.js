// What the composer can complete at the caret: slash commands, their subcommands, mentions, channels, emoji.

import { findEmoji } from "./emoji.js";
import { botUser, people, rooms, state, userName } from "./state.js";

const MOST = 8;

/** `[{word, rest}]` from a usage hint such as "[status | logs [--grep RE] | help]". */
export function subcommands(hint) {
  const parts = splitTop(String(hint ?? "").trim());
  if (parts.length === 1) {
    const inner = /^[[<({](.*)[\])}>]$/s.exec(parts[0]);
    return inner && splitTop(inner[1]).length > 1 ? subcommands(inner[1]) : [];
  }
  return parts.map((part) => /^(\S+)\s*(.*)$/s.exec(part)).filter((match) => match && /^[\w@][\w-]*$/.test(match[1])).map((match) => ({ word: match[1], rest: match[2] }));
}

function splitTop(text) {
  const parts = [""];
  let depth = 0;
  for (const char of text) {
    if ("[<({".includes(char)) depth += 1;
    if ("]>)}".includes(char)) depth -= 1;
    if (char === "|" && depth === 0) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

/** `{kind, from, items: [{key, label, note, insert, eager}]}` for the text before the caret, or null. */
export function completionsAt(text, caret) {
  const before = text.slice(0, caret);
  return slash(before) ?? subcommand(before) ?? mention(before) ?? channel(before) ?? emoji(before);
}

const found = (kind, from, items) => (items.length ? { kind, from, items: items.slice(0, MOST * 3) } : null);

function slash(before) {
  if (!/^\/\S*$/.test(before)) return null;
  const items = state.commands.filter((each) => each.command.startsWith(before));
  return found("Commands", 0, items.map((each) => ({ key: each.command, label: each.command, hint: each.usage_hint, note: each.description, insert: `${each.command} `, eager: each.command !== before })));
}

function subcommand(before) {
  const match = /^(\/\S+) (\S*)$/.exec(before);
  const command = match && state.commands.find((each) => each.command === match[1]);
  if (!command) return null;
  const items = subcommands(command.usage_hint).filter(({ word }) => word.startsWith(match[2]) && word !== match[2]);
  return found(command.command, match[1].length + 1, items.map(({ word, rest }) => ({ key: word, label: word, hint: rest, insert: `${word} `, eager: false })));
}

function mention(before) {
  const match = /(?:^|[\s(])@([\p{L}\p{N}._-]*)$/u.exec(before);
  if (!match) return null;
  const wanted = match[1].toLowerCase();
  const fits = (user) => `${user.name} ${userName(user.id)}`.toLowerCase().split(/\s+/).some((word) => word.startsWith(wanted));
  const items = [botUser(), ...people()].filter((user) => user && fits(user));
  return found("People", before.length - match[1].length - 1, items.map((user) => ({ key: user.id, label: userName(user.id), note: user.note, user, insert: `@${userName(user.id)} `, eager: true })));
}

function channel(before) {
  const match = /(?:^|[\s(])#([\w-]*)$/.exec(before);
  if (!match) return null;
  const items = rooms().filter((room) => room.name.startsWith(match[1]));
  return found("Channels", before.length - match[1].length - 1, items.map((room) => ({ key: room.id, label: `#${room.name}`, note: room.topic, insert: `#${room.name} `, eager: true })));
}

function emoji(before) {
  const match = /(?:^|\s):([a-z0-9_+-]{2,})$/.exec(before);
  if (!match) return null;
  return found("Emoji", before.length - match[1].length - 1, findEmoji(match[1], MOST).map(({ name, glyph }) => ({ key: name, label: `${glyph} :${name}:`, insert: `:${name}: `, eager: true })));
}

/** Typed text with "@Name" and "#channel" as Slack's references: `<@U…>`, `<#C…|name>`. */
export function withReferences(text) {
  const names = [...state.users.values()].flatMap((user) => [userName(user.id), user.name].map((name) => [`@${name}`, `<@${user.id}>`]));
  const channels = rooms().map((room) => [`#${room.name}`, `<#${room.id}|${room.name}>`]);
  const table = new Map([...names, ...channels]);
  const longestFirst = [...table.keys()].sort((a, b) => b.length - a.length).map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!longestFirst.length) return text;
  const pattern = new RegExp(`(^|[\\s(])(${longestFirst.join("|")})(?![\\p{L}\\p{N}_-])`, "gu");
  return text.split(/(```[\s\S]*?```|`[^`\n]+`)/).map((part, i) => (i % 2 ? part : part.replace(pattern, (_, lead, name) => lead + table.get(name)))).join("");
}
