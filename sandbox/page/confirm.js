// The "are you sure" dialog of buttons and menus.

import { h, uid } from "./dom.js";
import { plainText } from "./inline.js";
import { render } from "./mrkdwn.js";

const nodes = (text) => (text?.type === "mrkdwn" ? render(text.text) : plainText(text?.text ?? ""));

/** Ask; resolves to whether it was confirmed. Without a `confirm` object: true at once. */
export function askConfirm(confirm) {
  if (!confirm) return Promise.resolve(true);
  return new Promise((resolve) => {
    const title = uid("confirm");
    const finish = (answer) => {
      dialog.close();
      dialog.remove();
      resolve(answer);
    };
    const style = confirm.style === "danger" ? "button-danger" : "button-primary";
    const dialog = h("dialog", { class: "dialog dialog-small", "aria-labelledby": title, data: { confirm: "" } },
      h("h2", { id: title, class: "dialog-title" }, nodes(confirm.title)),
      h("div", { class: "dialog-text" }, nodes(confirm.text)),
      h("div", { class: "dialog-foot" },
        h("button", { class: "button", type: "button", data: { confirmDeny: "" }, onclick: () => finish(false) }, nodes(confirm.deny ?? { text: "Cancel" })),
        h("button", { class: `button ${style}`, type: "button", data: { confirmOk: "" }, onclick: () => finish(true) }, nodes(confirm.confirm ?? { text: "Yes" }))));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      finish(false);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
