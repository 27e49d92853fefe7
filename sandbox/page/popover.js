// A list that opens at its button: menus, selects, the user switcher. Keyboard as in the ARIA listbox pattern.

import { fill, h, uid } from "./dom.js";
import { icon } from "./icons.js";

let open = null;

/** Close whatever list is open. */
export function closePopover({ refocus = false } = {}) {
  if (!open) return;
  const { anchor, node, cleanup } = open;
  open = null;
  cleanup();
  node.remove();
  anchor.setAttribute("aria-expanded", "false");
  if (refocus) anchor.focus();
}

/**
 * Open a list of `options` (`{key, label, description?, node?, group?, danger?}`) below `anchor`.
 * `chosen()` gives the selected keys; `pick(option)` is called on a choice; `multiple` keeps it open.
 */
export function openList(anchor, { options, chosen = () => [], pick, multiple = false, search = false, label = "Options" }) {
  if (open?.anchor === anchor) return closePopover({ refocus: true });
  closePopover();
  const list = h("ul", { class: "pop-list", role: "listbox", id: uid("list"), "aria-label": label, "aria-multiselectable": multiple ? "true" : null, tabindex: "0" });
  const input = h("input", { class: "pop-search", type: "search", placeholder: "Search", "aria-label": `Search ${label}`, autocomplete: "off" });
  const node = h("div", { class: "popover", popover: "manual", data: { popover: "" } }, search ? input : null, list);
  // A modal dialog makes everything outside it inert, so its lists live inside it; others live in their pane.
  (anchor.closest("dialog, .sidebar, .main, .thread, .panel") ?? document.body).append(node);
  const view = new ListView({ list, options, chosen, pick, multiple });
  view.draw("");
  anchor.setAttribute("aria-expanded", "true");
  node.showPopover();
  place(anchor, node);
  open = { anchor, node, cleanup: listen(anchor, node, view, search ? input : list) };
  (search ? input : list).focus({ preventScroll: true });
  return node;
}

class ListView {
  constructor(parts) {
    Object.assign(this, parts);
    this.active = 0;
  }

  draw(query) {
    const wanted = query.trim().toLowerCase();
    this.shown = this.options.filter((o) => `${o.label} ${o.description ?? ""}`.toLowerCase().includes(wanted));
    const keys = this.chosen();
    this.active = Math.max(0, this.shown.findIndex((o) => keys.includes(o.key)));
    let group = null;
    const rows = this.shown.flatMap((option, index) => {
      const head = option.group && option.group !== group ? h("li", { class: "pop-group", role: "presentation" }, option.group) : null;
      group = option.group ?? null;
      return [head, this.row(option, index, keys.includes(option.key))];
    });
    fill(this.list, rows.length ? rows : h("li", { class: "pop-empty", role: "presentation" }, "No results"));
    this.mark(this.active);
  }

  row(option, index, selected) {
    const id = uid("option");
    return h("li", {
      id, class: `pop-option${option.danger ? " danger" : ""}`, role: "option", "aria-selected": String(selected),
      data: { option: option.key, index },
      onclick: () => this.choose(index),
      onpointermove: () => this.active !== index && this.mark(index, false),
    }, option.node ?? h("span", { class: "pop-text" }, h("span", { class: "pop-label", dir: "auto" }, option.label), option.description ? h("span", { class: "pop-note", dir: "auto" }, option.description) : null),
    selected ? icon("check", "pop-check") : null);
  }

  choose(index) {
    const option = this.shown[index];
    if (!option) return;
    if (!this.multiple) closePopover({ refocus: true });
    this.pick(option);
    if (this.multiple) {
      const row = this.list.querySelector(`[data-index="${index}"]`);
      const selected = this.chosen().includes(option.key);
      row.setAttribute("aria-selected", String(selected));
      row.querySelector(".pop-check")?.remove();
      if (selected) row.append(icon("check", "pop-check"));
    }
  }

  mark(index, scroll = true) {
    this.list.querySelector(".is-active")?.classList.remove("is-active");
    this.active = Math.max(0, Math.min(index, this.shown.length - 1));
    const row = this.list.querySelector(`[data-index="${this.active}"]`);
    if (!row) return;
    row.classList.add("is-active");
    this.list.setAttribute("aria-activedescendant", row.id);
    if (scroll) row.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const moves = { ArrowDown: this.active + 1, ArrowUp: this.active - 1, Home: 0, End: this.shown.length - 1 };
    const typing = event.target.matches("input");
    if (event.key in moves && !(typing && (event.key === "Home" || event.key === "End"))) this.mark(moves[event.key]);
    else if (event.key === "Enter" || (event.key === " " && !typing)) this.choose(this.active);
    else if (event.key === "Escape") closePopover({ refocus: true });
    else if (event.key === "Tab") return closePopover({ refocus: true });
    else return undefined;
    event.preventDefault();
    event.stopPropagation();
    return undefined;
  }
}

function listen(anchor, node, view, focusable) {
  const key = (event) => view.key(event);
  const outside = (event) => {
    if (!node.contains(event.target) && !anchor.contains(event.target)) closePopover();
  };
  const follow = (event) => {
    if (event.type === "resize" || !node.contains(event.target)) place(anchor, node);
  };
  const search = () => view.draw(focusable.value);
  node.addEventListener("keydown", key);
  if (focusable.matches("input")) focusable.addEventListener("input", search);
  document.addEventListener("pointerdown", outside, true);
  addEventListener("resize", follow);
  document.addEventListener("scroll", follow, true);
  return () => {
    document.removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", follow);
    document.removeEventListener("scroll", follow, true);
  };
}

/** Put `node` under its anchor, or above where there is more room, and inside the window. */
export function place(anchor, node) {
  const at = anchor.getBoundingClientRect();
  const below = innerHeight - at.bottom - 12;
  const above = at.top - 12;
  const upward = below < Math.min(260, node.scrollHeight) && above > below;
  node.style.maxHeight = `${Math.max(120, Math.min(360, upward ? above : below))}px`;
  node.style.minWidth = `${Math.min(Math.max(at.width, 200), innerWidth - 16)}px`;
  const width = node.offsetWidth;
  node.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
  node.style.top = upward ? `${at.top - node.offsetHeight - 4}px` : `${at.bottom + 4}px`;
}
