// The "Break things" panel: every fault that the sandbox offers, grouped.

import { api } from "./api.js";
import { busyWhile, fill, h, toast, uid } from "./dom.js";
import { icon } from "./icons.js";
import { activeFaults, emit, on, state } from "./state.js";

// What is most worth breaking, in the panel's first group.
const START = "Start here";
const FIRST = ["pod-kill-process", "pod-crash", "pod-disk-full", "heartbeat-session-manager-stopped", "time-1h", "kube-403", "kube-hang", "slack-cut-socket"];
// The order of the other groups: nearest to the pod first.
const ICONS = { [START]: "bolt", Time: "clock", Pod: "box", "Kubernetes API": "gear", Network: "globe", Heartbeats: "heart", Slack: "hash" };

/** The panel's element; it follows `state.breaks` by itself. */
export function breakPanel({ onClose }) {
  const list = h("div", { class: "panel-list" });
  const count = h("span", { class: "badge", data: { activeFaults: "" } });
  const heal = h("button", { class: "button heal", type: "button", data: { heal: "" }, onclick: () => healAll(heal) }, icon("heart"), h("span", { class: "button-label" }, "Heal everything"));
  const node = h("section", { class: "panel", "aria-label": "Break things", data: { panel: "" } },
    h("header", { class: "pane-head" }, icon("bolt"), h("h2", {}, "Break things"), count,
      h("button", { class: "button button-icon", type: "button", "aria-label": "Close the panel", data: { panelClose: "" }, onclick: onClose }, icon("close"))),
    h("p", { class: "panel-note" }, "Break something and see how the bot tells you. All of it is pretend."),
    list, h("footer", { class: "panel-foot" }, heal));
  const draw = () => {
    const active = activeFaults();
    count.textContent = String(active);
    count.hidden = active === 0;
    count.setAttribute("aria-label", `${active} active`);
    heal.disabled = active === 0;
    redraw(list);
  };
  on("breaks", draw);
  on("bootstrap", draw);
  return node;
}

function redraw(list) {
  const focused = document.activeElement?.closest?.("[data-break-id]")?.dataset.breakId;
  const groups = new Map(Object.keys(ICONS).map((name) => [name, []]));
  const first = FIRST.map((id) => state.breaks.find((item) => item.id === id)).filter(Boolean);
  groups.set(START, first);
  for (const item of state.breaks) if (!first.includes(item)) groups.set(item.group, [...(groups.get(item.group) ?? []), item]);
  fill(list, [...groups].filter(([, items]) => items.length).map(([name, items]) => h("section", { class: "panel-group", "aria-label": name, data: { breakGroup: name } }, h("h3", {}, icon(ICONS[name] ?? "bolt"), name), items.map(row))),
    state.breaks.length ? null : h("p", { class: "panel-note" }, "This sandbox offers nothing to break."));
  if (focused) list.querySelector(`[data-break-id="${CSS.escape(focused)}"] :is(button, select)`)?.focus();
}

function row(item) {
  const [label, help] = [uid("break"), uid("break-help")];
  const control = CONTROLS[item.kind]?.(item) ?? h("span", { class: "muted" }, item.kind);
  const isField = control.matches("select");
  if (isField) control.id = uid("break-field");
  else control.setAttribute("aria-labelledby", label);
  control.setAttribute("aria-describedby", help);
  return h("div", { class: `fault fault-${item.kind}${item.active ? " active" : ""}`, data: { breakId: item.id } },
    h("div", { class: "fault-text" }, h(isField ? "label" : "span", { class: "fault-label", id: label, for: isField ? control.id : null }, item.label), h("span", { class: "fault-help", id: help }, item.help)), control);
}

const CONTROLS = { toggle, choice, button };

function toggle(item) {
  const node = h("button", { class: "switch", type: "button", role: "switch", "aria-checked": String(Boolean(item.value)) }, h("span", { class: "knob" }));
  node.addEventListener("click", () => set(node, item, !item.value));
  return node;
}

function choice(item) {
  const options = item.options.some((option) => option.value === "") ? item.options : [{ value: "", label: "Off" }, ...item.options];
  const node = h("select", { class: "input" }, options.map((option) => h("option", { value: option.value, selected: option.value === (item.value ?? "") }, option.label)));
  node.addEventListener("change", () => set(node, item, node.value));
  return node;
}

function button(item) {
  const node = h("button", { class: "button", type: "button" }, h("span", { class: "button-label" }, "Do it"));
  node.addEventListener("click", async () => {
    if (await set(node, item, null)) toast(`Done: ${item.label}`, "info");
  });
  return node;
}

async function set(node, item, value) {
  const answer = await busyWhile(node, api.setBreak(item.id, value));
  if (!answer.ok) toast(`${item.label}: ${answer.error}`);
  takeBreaks(answer.breaks ?? state.breaks);
  return Boolean(answer.ok);
}

async function healAll(node) {
  const answer = await busyWhile(node, api.heal());
  if (answer.ok) takeBreaks(answer.breaks ?? state.breaks);
  else toast(`Not everything could be healed: ${answer.error}`);
}

function takeBreaks(breaks) {
  state.breaks = breaks;
  emit("breaks");
}
