// Block Kit's interactive elements. Each shows its value, keeps it in the surface's state, and tells the app.

import { add, fill, h, link, safeUrl, uid } from "./dom.js";
import { icon } from "./icons.js";
import { avatar, plainText } from "./inline.js";
import { render } from "./mrkdwn.js";
import { askConfirm } from "./confirm.js";
import { openList } from "./popover.js";
import { appDirect, botUser, channelName, people, rooms, state, userName, visibleChannels } from "./state.js";

/** A text object as nodes. */
export function textNodes(text) {
  if (!text) return [];
  return text.type === "mrkdwn" ? render(text.text, { verbatim: text.verbatim }) : plainText(text.text, text.emoji !== false);
}

/** The type and the value, as in an interaction's payload and in the state. */
const valueOf = (element, value) => ({ type: element.type, ...value });

/**
 * One element as DOM. `where` is `{surface, blockId, dispatch}`: inputs in an input block speak up only if it
 * says `dispatch_action`. An element that this page does not know becomes a visible box.
 */
export function elementNode(element, where) {
  const make = MAKERS[element.type];
  if (!make) return h("span", { class: "unsupported", data: { unsupported: element.type } }, `Unsupported element: ${element.type}`);
  const node = make(element, where);
  node.dataset.actionId = element.action_id ?? "";
  node.dataset.elementType = element.type;
  return node;
}

class Field {
  constructor(element, where, initial) {
    Object.assign(this, { element, where });
    this.value = where.surface.earlier(where.blockId, element) ?? valueOf(element, initial);
    where.surface.set(where.blockId, element.action_id, this.value);
  }

  /** Set a new value and, after the element's confirmation, send it to the app if the app wants it. */
  async change(node, value, { silent = false } = {}) {
    const before = this.value;
    this.keep(value);
    if (silent || !this.where.dispatch) return true;
    if (!(await askConfirm(this.element.confirm))) {
      this.keep(before);
      return false;
    }
    await this.where.surface.act(node, this.where.blockId, { ...this.value, action_id: this.element.action_id });
    return true;
  }

  keep(value) {
    this.value = valueOf(this.element, value);
    this.where.surface.set(this.where.blockId, this.element.action_id, this.value);
  }
}

// --- buttons --------------------------------------------------------------------------------------

function button(element, { surface, blockId }) {
  const style = ["primary", "danger"].includes(element.style) ? ` button-${element.style}` : "";
  const label = h("span", { class: "button-label" }, textNodes(element.text));
  const href = element.url ? safeUrl(element.url) : null;
  const click = async (event) => {
    if (node.getAttribute("aria-busy") === "true") return event.preventDefault();
    if (element.confirm) event.preventDefault();
    if (!(await askConfirm(element.confirm))) return undefined;
    if (element.confirm && href) open(href, "_blank", "noopener");
    const payload = { type: "button", action_id: element.action_id, text: element.text, value: element.value, style: element.style, url: element.url };
    return surface.act(node, blockId, payload);
  };
  const props = { class: `button${style}`, "aria-label": element.accessibility_label, onclick: click };
  const node = href
    ? h("a", { ...props, href, target: "_blank", rel: "noopener noreferrer" }, label)
    : h("button", { ...props, type: "button" }, label);
  return node;
}

function overflow(element, { surface, blockId }) {
  const node = h("button", { class: "button button-icon", type: "button", "aria-haspopup": "listbox", "aria-expanded": "false", "aria-label": "More actions" }, icon("more"));
  const options = (element.options ?? []).map(optionRow);
  const pick = async ({ option }) => {
    if (!(await askConfirm(element.confirm))) return;
    if (option.url && safeUrl(option.url)) open(safeUrl(option.url), "_blank", "noopener");
    await surface.act(node, blockId, { type: "overflow", action_id: element.action_id, selected_option: option });
  };
  node.addEventListener("click", () => openList(node, { options, pick, label: "More actions" }));
  return node;
}

// --- menus ----------------------------------------------------------------------------------------

const optionRow = (option) => ({ key: option.value, label: option.text.text, description: option.description?.text, option });

function staticRows(element) {
  if (!element.option_groups) return (element.options ?? []).map(optionRow);
  return element.option_groups.flatMap((group) => (group.options ?? []).map((option) => ({ ...optionRow(option), group: group.label.text })));
}

const personRow = (user) => ({ key: user.id, label: userName(user.id), node: h("span", { class: "pop-person" }, avatar(user, "s"), userName(user.id)) });
const userRows = () => [...people(), botUser()].filter(Boolean).map(personRow);
const roomRow = (channel) => ({ key: channel.id, label: `${channel.is_im ? "" : "#"}${channelName(channel.id)}` });
const channelRows = () => rooms().filter((channel) => !channel.is_private).map(roomRow);
const conversationRows = () => visibleChannels().map(roomRow);

// type → [rows, the state's key for one value, how a row becomes that value, the initial value's key]
const MENUS = {
  static_select: [staticRows, "selected_option", "initial_option"],
  users_select: [userRows, "selected_user", "initial_user"],
  channels_select: [channelRows, "selected_channel", "initial_channel"],
  conversations_select: [conversationRows, "selected_conversation", "initial_conversation"],
  multi_static_select: [staticRows, "selected_options", "initial_options"],
  multi_users_select: [userRows, "selected_users", "initial_users"],
  multi_channels_select: [channelRows, "selected_channels", "initial_channels"],
  multi_conversations_select: [conversationRows, "selected_conversations", "initial_conversations"],
};

const keyOf = (value) => (typeof value === "object" ? value?.value : value);

function menu(element, where) {
  const [rowsOf, key, initialKey] = MENUS[element.type];
  const multiple = element.type.startsWith("multi_");
  const initial = element[initialKey] ?? defaultConversation(element, multiple) ?? (multiple ? [] : null);
  const field = new Field(element, where, { [key]: initial });
  const rows = rowsOf(element);
  const toValue = (row) => row.option ?? row.key;
  const chosen = () => [field.value[key]].flat().filter((v) => v !== null && v !== undefined).map(keyOf);
  const shown = h("span", { class: "select-value", dir: "auto" });
  const node = h("button", { class: "select", type: "button", "aria-haspopup": "listbox", "aria-expanded": "false" }, shown, icon("down", "select-arrow"));
  const draw = () => {
    const picked = rows.filter((row) => chosen().includes(row.key));
    const blank = element.placeholder?.text ?? (multiple ? "Select options" : "Select an option");
    node.classList.toggle("is-empty", picked.length === 0);
    fill(shown, picked.length === 0 ? blank : multiple ? picked.map((row) => h("span", { class: "chip" }, plainText(row.label))) : plainText(picked[0].label));
  };
  const pick = async (row) => {
    const value = multiple ? toggled(field.value[key], toValue(row), element.max_selected_items) : toValue(row);
    const done = field.change(node, { [key]: value });
    draw();
    await done;
    draw();
  };
  node.addEventListener("click", () => openList(node, { options: rows, chosen, pick, multiple, search: rows.length > 7, label: element.placeholder?.text ?? "Options" }));
  draw();
  return node;
}

function defaultConversation(element, multiple) {
  if (!element.default_to_current_conversation) return null;
  const id = state.channel ?? appDirect()?.id ?? null;
  return multiple && id ? [id] : id;
}

function toggled(values, value, most = Infinity) {
  const without = values.filter((each) => keyOf(each) !== keyOf(value));
  if (without.length < values.length) return without;
  return values.length < most ? [...values, value] : values;
}

// --- check boxes and radio buttons -------------------------------------------------------------------

function choices(element, where) {
  const multiple = element.type === "checkboxes";
  const key = multiple ? "selected_options" : "selected_option";
  const field = new Field(element, where, { [key]: element[multiple ? "initial_options" : "initial_option"] ?? (multiple ? [] : null) });
  const name = uid("choice");
  const inputs = (element.options ?? []).map((option) =>
    h("input", { type: multiple ? "checkbox" : "radio", name, value: option.value, id: uid("opt") }));
  const draw = () => inputs.forEach((input) => {
    input.checked = [field.value[key]].flat().some((each) => each && each.value === input.value);
  });
  const node = h("div", { class: "choices", role: multiple ? "group" : "radiogroup" });
  node.addEventListener("change", async () => {
    const picked = element.options.filter((_, i) => inputs[i].checked);
    await field.change(node, { [key]: multiple ? picked : (picked[0] ?? null) });
    draw();
  });
  draw();
  return add(node, (element.options ?? []).map((option, i) => h("label", { class: "choice", for: inputs[i].id }, inputs[i],
    h("span", { class: "choice-text" }, h("span", {}, textNodes(option.text)), option.description ? h("span", { class: "choice-note" }, textNodes(option.description)) : null))));
}

// --- dates and typed text -------------------------------------------------------------------------

const pad = (n) => String(n).padStart(2, "0");
const localInput = (seconds) => {
  const d = new Date(seconds * 1000);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}T${pad(d.getHours())}:${pad(d.getMinutes())}`;
};
const same = (value) => value ?? "";
const orNull = (text) => text || null;
const seconds = (text) => (text ? Math.floor(new Date(text).getTime() / 1000) : null);

// type → [input type, the state's key, the initial value's key, value → text, text → value]
const INPUTS = {
  datepicker: ["date", "selected_date", "initial_date", same, orNull],
  timepicker: ["time", "selected_time", "initial_time", same, orNull],
  datetimepicker: ["datetime-local", "selected_date_time", "initial_date_time", (v) => (v ? localInput(v) : ""), seconds],
  plain_text_input: ["text", "value", "initial_value", same, orNull],
  email_text_input: ["email", "value", "initial_value", same, orNull],
  url_text_input: ["url", "value", "initial_value", same, orNull],
  number_input: ["text", "value", "initial_value", same, orNull],
};

function typed(element, where) {
  const [type, key, initialKey, toText, toValue] = INPUTS[element.type];
  const picker = key !== "value";
  const field = new Field(element, where, { [key]: element[initialKey] ?? null });
  const props = { class: "input", type, placeholder: element.placeholder?.text, "aria-label": element.placeholder?.text, maxlength: element.max_length, autocomplete: "off", dir: picker ? null : "auto" };
  if (element.type === "number_input") Object.assign(props, { inputmode: element.is_decimal_allowed ? "decimal" : "numeric" });
  const node = element.multiline ? h("textarea", { ...props, type: null, rows: String(Math.min(14, Math.max(4, (element.initial_value ?? "").split("\n").length + 1))) }) : h("input", props);
  node.value = toText(field.value[key]);
  const triggers = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  node.addEventListener("input", () => !picker && field.change(node, { [key]: toValue(node.value) }, { silent: !triggers.includes("on_character_entered") }));
  node.addEventListener("keydown", (event) => {
    const enter = event.key === "Enter" && !event.isComposing && !picker && !(element.multiline && event.shiftKey);
    if (!enter || !where.dispatch || !triggers.includes("on_enter_pressed")) return;
    event.preventDefault();
    field.change(node, { [key]: toValue(node.value) });
  });
  if (picker) node.addEventListener("change", () => field.change(node, { [key]: toValue(node.value) }).then(() => (node.value = toText(field.value[key]))));
  return node;
}

/** The validation error of an element's current value, to show under the field, or null. */
export function problem(element, value, optional) {
  const raw = Object.entries(value ?? {}).find(([key]) => key !== "type")?.[1];
  const empty = raw === null || raw === undefined || raw === "" || (Array.isArray(raw) && raw.length === 0);
  if (empty) return optional ? null : "Please complete this required field.";
  if (typeof raw !== "string") return null;
  if (element.min_length && raw.length < element.min_length) return `Please use at least ${element.min_length} characters.`;
  if (element.type === "email_text_input" && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(raw)) return "Please enter a valid email address.";
  if (element.type === "url_text_input" && !/^https?:\/\/\S+$/i.test(raw)) return "Please enter a valid web address (https://…).";
  return element.type === "number_input" ? numberProblem(element, raw) : null;
}

function numberProblem(element, raw) {
  const pattern = element.is_decimal_allowed ? /^-?\d+(\.\d+)?$/ : /^-?\d+$/;
  if (!pattern.test(raw)) return element.is_decimal_allowed ? "Please enter a number." : "Please enter a whole number.";
  if (element.min_value !== undefined && Number(raw) < Number(element.min_value)) return `Please enter ${element.min_value} or more.`;
  if (element.max_value !== undefined && Number(raw) > Number(element.max_value)) return `Please enter ${element.max_value} or less.`;
  return null;
}

function workflowButton(element, where) {
  return button({ ...element, type: "button" }, where);
}

const MAKERS = {
  button,
  overflow,
  workflow_button: workflowButton,
  checkboxes: choices,
  radio_buttons: choices,
  image: (element) => imageElement(element),
  ...Object.fromEntries(Object.keys(MENUS).map((type) => [type, menu])),
  ...Object.fromEntries(Object.keys(INPUTS).map((type) => [type, typed])),
};

/** An image that may not be loadable here (the page loads nothing from elsewhere): then its description. */
export function imageElement(element, resolve = (e) => e.image_url) {
  const url = resolve(element);
  const alt = element.alt_text ?? "";
  const safe = url ? safeUrl(url) : null;
  const local = safe !== null && new URL(safe).origin === location.origin;
  if (!local) return h("span", { class: "image-elsewhere", title: safe ?? "" }, icon("image"), safe ? link(safe, alt || "image") : alt);
  const img = h("img", { src: safe, alt, loading: "lazy" });
  img.addEventListener("error", () => img.replaceWith(h("span", { class: "image-elsewhere" }, icon("image"), alt || "image")), { once: true });
  return img;
}
