// Modals: a stack of views in one dialog. What was entered survives an update of the same view.

import { api } from "./api.js";
import { blockNodes } from "./blocks.js";
import { busyWhile, h, toast, uid } from "./dom.js";
import { problem } from "./elements.js";
import { icon } from "./icons.js";
import { plainText } from "./inline.js";
import { state } from "./state.js";
import { explain, Surface } from "./surface.js";

let stack = [];
let dialog = null;

/** Show a newly opened modal, in place of any open ones. */
export function openView(view) {
  stack = [];
  pushView(view);
}

/** Show a modal on top of the current one. */
export function pushView(view) {
  stack = [...stack.filter((each) => each.view.id !== view.id), { view, surface: null }];
  draw();
}

/** Show new content for an open view. */
export function updateView(view) {
  const entry = stack.find((each) => each.view.id === view.id);
  if (!entry) return;
  entry.view = view;
  if (entry === stack.at(-1)) draw();
}

/** Remove a view and show the one below it. */
export function closeView(id) {
  if (!stack.some((each) => each.view.id === id)) return;
  stack = stack.filter((each) => each.view.id !== id);
  draw();
}

export function closeAllViews() {
  stack = [];
  draw();
}

function draw() {
  const top = stack.at(-1);
  if (!top) {
    dialog?.close();
    dialog?.remove();
    dialog = null;
    return;
  }
  if (!dialog) {
    dialog = h("dialog", { class: "dialog modal", oncancel: cancel });
    document.body.append(dialog);
  }
  const focused = dialog.contains(document.activeElement) ? document.activeElement.dataset.actionId : null;
  top.surface = new Surface({ view_id: top.view.id }, { values: top.surface?.values ?? {}, kind: "view" });
  dialog.dataset.viewId = top.view.id;
  dialog.replaceChildren(form(top));
  if (!dialog.open) dialog.showModal();
  focusFirst(top, focused);
}

function form(entry) {
  const { view, surface } = entry;
  const title = uid("modal");
  dialog.setAttribute("aria-labelledby", title);
  const close = view.close?.text ?? (stack.length > 1 ? "Back" : "Close");
  const hasInput = (view.blocks ?? []).some((block) => block.type === "input");
  const submit = view.submit?.text ?? (hasInput ? "Submit" : null);
  const submitButton = submit ? h("button", { class: "button button-primary", type: "submit", data: { modalSubmit: "" } }, plainText(submit)) : null;
  const node = h("form", { class: "modal-form", novalidate: true },
    h("header", { class: "modal-head" }, h("img", { class: "avatar avatar-s", src: "./app.svg", alt: "" }), h("h2", { id: title, class: "dialog-title" }, plainText(view.title?.text ?? "")),
      h("button", { class: "button button-icon", type: "button", "aria-label": "Close", data: { modalX: "" }, onclick: () => dismissTop() }, icon("close"))),
    h("div", { class: "modal-body" }, blockNodes(view.blocks, surface)),
    h("footer", { class: "dialog-foot" }, h("button", { class: "button", type: "button", data: { modalClose: "" }, onclick: () => dismissTop() }, plainText(close)), submitButton));
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submitButton) send(entry, submitButton);
  });
  return node;
}

function focusFirst(entry, actionId) {
  const fields = entry.surface.fields;
  const wanted = fields.find(({ element }) => actionId && element.action_id === actionId) ?? fields.find(({ element }) => element.focus_on_load) ?? fields[0];
  const node = wanted?.node.matches("input, textarea, button") ? wanted.node : wanted?.node.querySelector("input");
  (node ?? dialog.querySelector("[data-modal-submit]") ?? dialog.querySelector("[data-modal-close]")).focus();
}

function showErrors(errors) {
  for (const node of dialog.querySelectorAll("[data-error-for]")) {
    const text = errors[node.dataset.errorFor];
    node.hidden = !text;
    node.textContent = text ?? "";
    node.closest(".block-input").classList.toggle("has-error", Boolean(text));
  }
  dialog.querySelector(".has-error [data-action-id]")?.focus();
}

function localErrors(surface) {
  const errors = {};
  for (const { blockId, element, optional } of surface.fields) {
    const text = problem(element, surface.values[blockId]?.[element.action_id], optional);
    if (text) errors[blockId] = text;
  }
  return errors;
}

async function send({ view, surface }, button) {
  if (button.getAttribute("aria-busy") === "true") return;
  const errors = localErrors(surface);
  showErrors(errors);
  if (Object.keys(errors).length) return;
  const answer = await busyWhile(button, api.viewSubmit({ user: state.user, view_id: view.id, values: surface.values }));
  if (!answer.ok) return toast(`That did not work: ${explain(answer.error)}`);
  if (answer.errors && stack.at(-1)?.view.id === view.id) showErrors(answer.errors);
  // The outcome (closed, updated, pushed) arrives as a push; while disconnected none comes, so close the view here.
  else if (!answer.errors && state.live !== "open") closeView(view.id);
}

function cancel(event) {
  if (event.target !== dialog) return;
  event.preventDefault();
  dismissTop();
}

async function dismissTop() {
  const top = stack.at(-1);
  if (!top) return;
  closeView(top.view.id);
  const answer = await api.viewClose({ user: state.user, view_id: top.view.id });
  if (!answer.ok && answer.error !== "not_found") toast(`The app was not told that the window closed: ${explain(answer.error)}`);
}
