// Small helpers to build DOM nodes. Text only ever becomes text nodes: nothing here parses HTML.

const SAFE_PROTOCOLS = new Set(["http:", "https:", "mailto:", "tel:"]);
const LOCAL_HOSTS = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** An element with attributes (`data: {…}` for data-*, `onclick: fn` for listeners) and children. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) setProp(node, key, value);
  add(node, children);
  return node;
}

function setProp(node, key, value) {
  if (value === undefined || value === null || value === false) return;
  if (key === "data") Object.assign(node.dataset, value);
  else if (typeof value === "function") node.addEventListener(key.slice(2), value);
  else node.setAttribute(key, value === true ? "" : String(value));
}

/** Append strings, nodes and nested lists of them; null and false are left out. */
export function add(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child);
  }
  return node;
}

/** Replace everything in `node`. */
export function fill(node, ...children) {
  node.replaceChildren();
  return add(node, children);
}

/** An absolute address that is safe to link to, or null (javascript:, data: and nonsense). */
export function safeUrl(url) {
  try {
    const parsed = new URL(url, location.href);
    // The server may call itself 127.0.0.1 while the page was opened as localhost.
    if (LOCAL_HOSTS.has(parsed.hostname) && LOCAL_HOSTS.has(location.hostname) && parsed.port === location.port) parsed.hostname = location.hostname;
    return SAFE_PROTOCOLS.has(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}

/** Whether the page's content policy lets an image at this address load. */
export function isLocal(url) {
  const safe = safeUrl(url);
  return safe !== null && new URL(safe).origin === location.origin;
}

/** A link that opens outside the page; without a safe address just its label. */
export function link(url, ...label) {
  const href = safeUrl(url);
  if (href === null) return h("span", {}, label);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, label);
}

/** Show a toast for a few seconds, announced to screen readers. */
export function toast(text, kind = "error") {
  const box = document.getElementById("toasts");
  const node = h("div", { class: `toast toast-${kind}`, data: { toast: kind } }, text);
  box.append(node);
  // A modal dialog makes the rest of the page inert but a popover stays on top of it.
  if (box.showPopover) {
    box.popover = "manual";
    if (box.matches(":popover-open")) box.hidePopover();
    box.showPopover();
  }
  setTimeout(() => {
    node.remove();
    if (!box.childElementCount && box.matches(":popover-open")) box.hidePopover();
  }, 6000);
}

/** Show that a request is pending, with `aria-busy` and a spinner, until the promise settles. */
export async function busyWhile(node, promise) {
  node.setAttribute("aria-busy", "true");
  node.classList.add("is-busy");
  try {
    return await promise;
  } finally {
    node.removeAttribute("aria-busy");
    node.classList.remove("is-busy");
  }
}

let lastId = 0;
/** An id that no other element has. */
export function uid(prefix = "x") {
  lastId += 1;
  return `${prefix}-${lastId}`;
}
