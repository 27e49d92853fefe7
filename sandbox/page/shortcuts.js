// The app's shortcuts: the lightning menu beside the composer, and the menu of a message.

import { api } from "./api.js";
import { h, toast } from "./dom.js";
import { icon } from "./icons.js";
import { openList } from "./popover.js";
import { state } from "./state.js";
import { explain } from "./surface.js";

const ofKind = (kind) => state.shortcuts.filter((each) => each.kind === kind);

/** The button of the lightning menu. */
export function lightning() {
  const button = h("button", { class: "composer-tool", type: "button", "aria-label": "Shortcuts", title: "Shortcuts", "aria-haspopup": "listbox", "aria-expanded": "false", data: { shortcuts: "" } }, icon("bolt"));
  button.addEventListener("click", () => choose(button, "global", {}));
  return button;
}

/** The button of a message's menu; null where the app has no shortcuts for messages. */
export function messageMenu(message) {
  if (message.ephemeral_for || !ofKind("message").length) return null;
  const place = { channel: message.channel ?? state.channel, message_ts: message.ts };
  const button = h("button", { class: "tool", type: "button", "aria-label": "More actions", title: "More actions", "aria-haspopup": "listbox", "aria-expanded": "false", data: { messageMenu: message.ts } }, icon("more"));
  button.addEventListener("click", () => choose(button, "message", place));
  return button;
}

function choose(button, kind, place) {
  const options = ofKind(kind).map((each) => ({ key: each.callback_id, label: each.name, description: each.description, group: state.app?.name }));
  openList(button, { options, pick: (option) => use(option.key, place), label: kind === "global" ? "Shortcuts" : "More actions" });
}

async function use(callbackId, place) {
  const answer = await api.shortcut({ user: state.user, callback_id: callbackId, ...place });
  if (!answer.ok) toast(`That did not work: ${explain(answer.error)}`);
}
