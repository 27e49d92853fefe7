// The app's shortcuts: the lightning menu beside the composer, and the menu of a message.

import { api } from "./api.js";
import { h, toast, uid } from "./dom.js";
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
  const steps = kind === "global" ? state.steps : [];
  const workflows = steps.map((step) => ({ key: `workflow ${step.callback_id}`, label: `Workflow: ${step.title}`, description: step.description, group: "Workflows of one step", step }));
  openList(button, { options: [...options, ...workflows], pick: (option) => (option.step ? startWorkflow(option.step) : use(option.key, place)), label: kind === "global" ? "Shortcuts" : "More actions" });
}

/** Ask for the step's inputs, as a workflow's form would, and run it in the channel that is open. */
function startWorkflow(step) {
  const title = uid("workflow");
  const inputs = step.inputs.map((each) => h("input", { class: "input", type: "text", name: each.name, id: uid("input"), required: each.is_required ? "" : null, autocomplete: "off", data: { input: each.name } }));
  const fields = step.inputs.map((each, i) => h("div", { class: "workflow-field" }, h("label", { for: inputs[i].id }, `${each.title}${each.is_required ? "" : " (optional)"}`), inputs[i], h("p", { class: "muted" }, each.description)));
  const close = () => {
    dialog.close();
    dialog.remove();
  };
  const start = async (event) => {
    event.preventDefault();
    close();
    const given = Object.fromEntries(inputs.map((input) => [input.name, input.value.trim()]));
    const answer = await api.workflow({ user: state.user, channel: state.channel, callback_id: step.callback_id, inputs: given });
    if (!answer.ok) toast(`The workflow did not start: ${explain(answer.error)}`);
  };
  const dialog = h("dialog", { class: "dialog dialog-small", "aria-labelledby": title, data: { workflow: step.callback_id } },
    h("form", { onsubmit: start },
      h("h2", { id: title, class: "dialog-title" }, `Workflow: ${step.title}`),
      h("div", { class: "dialog-text" }, h("p", {}, step.description), fields),
      h("div", { class: "dialog-foot" },
        h("button", { class: "button", type: "button", onclick: close }, "Cancel"),
        h("button", { class: "button button-primary", type: "submit", data: { workflowStart: "" } }, "Start"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

async function use(callbackId, place) {
  const answer = await api.shortcut({ user: state.user, callback_id: callbackId, ...place });
  if (!answer.ok) toast(`That did not work: ${explain(answer.error)}`);
}
