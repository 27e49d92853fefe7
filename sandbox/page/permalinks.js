// Links to messages of this workspace: followed in the page, as in Slack, with the message marked.

import { state } from "./state.js";

const MESSAGE = /^\/archives\/([CDG][A-Z0-9]+)\/p(\d{10})(\d{6})$/;
const MARKED_MS = 6000;
const PATIENCE_MS = 3000;

/** Where a message's link leads, `{channel, ts, thread}`; null for any other link. */
export function placeOf(href) {
  let url;
  try {
    url = new URL(href);
  } catch {
    return null;
  }
  const found = url.hostname.endsWith(".slack.com") ? MESSAGE.exec(url.pathname) : null;
  if (!found || !state.channels.has(found[1])) return null;
  return { channel: found[1], ts: `${found[2]}.${found[3]}`, thread: url.searchParams.get("thread_ts") };
}

/** Scroll to the message, mark it for a while and focus it; resolves to whether it was found. */
export async function showMessage({ ts, thread }) {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    const rows = [...document.querySelectorAll(`[data-message-ts="${CSS.escape(ts)}"]`)].filter((row) => row.offsetParent);
    const row = thread ? rows.at(-1) : rows[0];
    if (row) {
      mark(row);
      return true;
    }
    await new Promise((done) => setTimeout(done, 30));
  }
  return false;
}

function mark(row) {
  row.scrollIntoView({ block: "center" });
  row.classList.add("linked");
  row.setAttribute("tabindex", "-1");
  row.focus({ preventScroll: true });
  setTimeout(() => row.classList.remove("linked"), MARKED_MS);
}
