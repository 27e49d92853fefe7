// Starts the page, and handles navigation, the server's pushes and the URL.

import { api, Live } from "./api.js";
import { toast } from "./dom.js";
import { closeAllViews, closeView, openView, pushView, updateView } from "./modals.js";
import { placeOf, showMessage } from "./permalinks.js";
import { buildShell, showPane } from "./shell.js";
import { appDirect, channelName, dropMessage, emit, forgetMessages, isReply, messageAt, on, people, pushesSoFar, rooms, state, takeBootstrap, takeHistory, takeMessage, visibleChannels } from "./state.js";
import { setZone } from "./time.js";
import { initTheme } from "./theme.js";
import { startTour, tourIsOpen } from "./tour.js";

const PANEL = "agentpod-panel";
const WIDE = matchMedia("(min-width: 1200px)");
const address = () => new URLSearchParams(location.search);
let live = null;
let panelOpen = false;

// --- navigation ----------------------------------------------------------------------------------

/** Go to a channel or the App Home; `pane` is what a narrow window shows. */
async function go({ channel = null, home = false, thread = null, pane = "main" }, { record = true } = {}) {
  const known = visibleChannels().some((each) => each.id === channel);
  state.home = home;
  state.channel = known ? channel : home ? state.channel : (rooms()[0] ?? visibleChannels()[0])?.id ?? null;
  state.thread = home ? null : thread;
  state.unread.delete(state.home ? null : state.channel);
  showPane(state.thread && pane === "main" ? "thread" : pane);
  emit("place");
  emit("unread");
  if (record) writeAddress(pane);
  setTitle();
  await (home ? loadHome() : loadHistory());
}

async function loadHistory() {
  const { channel, user, thread } = state;
  if (!channel) return;
  const asked = pushesSoFar();
  const answers = await Promise.all([api.history(channel, user), thread ? api.history(channel, user, thread) : null]);
  if (user !== state.user) return;
  if (answers[0].messages) takeHistory(channel, answers[0].messages, { asked });
  else if (answers[0].error !== "sandbox_unreachable") toast(`The messages could not be loaded: ${answers[0].error}`);
  if (answers[1]?.messages) takeHistory(channel, answers[1].messages, { thread, asked });
}

async function loadHome() {
  const { user } = state;
  const answer = await api.homeOpened(user);
  if (user !== state.user || !answer.ok) return;
  state.homeView = answer.view ?? state.homeView;
  emit("home");
}

function writeAddress(pane) {
  const query = address();
  for (const name of ["user", "channel", "home", "thread", "pane"]) query.delete(name);
  query.set("user", state.user);
  if (state.home) query.set("home", "");
  else if (state.channel) query.set("channel", state.channel);
  if (state.thread) query.set("thread", state.thread);
  if (pane === "list") query.set("pane", "list");
  const search = `?${query}`.replace(/home=(?=&|$)/, "home");
  if (search !== location.search) history.pushState(null, "", search);
}

function setTitle() {
  const unread = [...state.unread.values()].reduce((sum, count) => sum + count, 0);
  const name = state.home ? `${state.app?.name} Home` : channelName(state.channel, "");
  document.title = `${unread ? `(${unread}) ` : ""}${name} · ${state.team.name || "agentpod sandbox"}`;
}

function fromAddress({ record = false } = {}) {
  const query = address();
  const deep = query.has("channel") || query.has("home");
  const pane = query.get("pane") === "list" || (!deep && !tourIsOpen()) ? "list" : "main";
  return go({ channel: query.get("channel"), home: query.has("home"), thread: query.get("thread"), pane }, { record });
}

// --- the acting user ------------------------------------------------------------------------------

/** Times are shown in the zone of who looks at them. */
function become(user) {
  state.user = user;
  setZone(state.users.get(user)?.tz);
}

async function actAs(user, { keepPlace = true } = {}) {
  if (user === state.user) return;
  const wasDirect = state.channel !== null && state.channel === appDirect()?.id;
  become(user);
  state.homeView = null;
  forgetMessages();
  closeAllViews();
  connect();
  emit("user");
  if (!keepPlace) return;
  const channel = wasDirect ? appDirect()?.id : state.channel;
  await go({ channel, home: state.home, pane: document.getElementById("app").dataset.pane === "list" ? "list" : "main" });
}

function connect() {
  live?.close();
  let first = true;
  state.live = "connecting";
  live = new Live(state.user, {
    onPush: pushed,
    onStatus: (status) => {
      state.live = status;
      emit("live");
      // Reload the history: it has what happened while disconnected, and before the first frame.
      if (status === "open") reload({ everything: !first });
      if (status === "open") first = false;
    },
  });
}

async function reload({ everything }) {
  if (everything) await refreshWorkspace();
  await (state.home ? loadHome() : loadHistory());
}

async function refreshWorkspace() {
  const body = await api.bootstrap();
  if (!body.channels) return;
  takeBootstrap(body);
  emit("bootstrap");
  emit("breaks");
  if (!state.users.has(state.user)) await actAs(people()[0]?.id);
}

// --- pushes ---------------------------------------------------------------------------------------

const PUSHES = {
  message: ({ channel, message }) => newMessage(channel, message),
  message_changed: ({ channel, message }) => takeMessage(channel, message),
  message_deleted: ({ channel, ts }) => dropMessage(channel, ts),
  view_opened: ({ view }) => openView(view),
  view_pushed: ({ view }) => pushView(view),
  view_updated: ({ view }) => (view.type === "home" ? newHome(view) : updateView(view)),
  view_closed: ({ view_id: id }) => closeView(id),
  home: ({ view }) => newHome(view),
  breaks: ({ breaks }) => {
    state.breaks = breaks;
    emit("breaks");
  },
  bot: ({ connected, connections }) => {
    state.bot = { connected, connections };
    emit("bot");
  },
};

function pushed(event) {
  PUSHES[event.type]?.(event);
}

async function newMessage(channel, message) {
  if (message.ephemeral_for && message.ephemeral_for !== state.user) return;
  if (!state.channels.has(channel)) await refreshWorkspace();
  const isNew = !messageAt(channel, message.ts);
  takeMessage(channel, message);
  const elsewhere = state.home || channel !== state.channel;
  if (!isNew || !elsewhere || isReply(message) || message.user === state.user) return;
  state.unread.set(channel, (state.unread.get(channel) ?? 0) + 1);
  emit("unread");
  setTitle();
}

function newHome(view) {
  state.homeView = view;
  emit("home");
}

// --- the panel ------------------------------------------------------------------------------------

function setPanel(open, { remember = true } = {}) {
  panelOpen = open;
  emit("panel-changed", open);
  if (!remember) return;
  try {
    if (WIDE.matches) localStorage.setItem(PANEL, open ? "open" : "closed");
  } catch {
    // Not remembered without storage.
  }
  document.querySelector(open ? "[data-panel-close]" : "[data-panel-toggle]")?.focus();
}

function initialPanel() {
  const wanted = address().get("panel");
  if (wanted) return wanted === "open";
  try {
    return WIDE.matches && localStorage.getItem(PANEL) !== "closed";
  } catch {
    return WIDE.matches;
  }
}

/** "open" or "closed" by the address. One that sets the panel is for pictures: it has no tour of its own. */
const initialTour = () => address().get("tour") ?? (address().has("panel") ? "closed" : null);

// --- links to messages ------------------------------------------------------------------------------

/** Follow a click on a link to a message of this workspace; whether it was one. */
function follow(event) {
  const place = placeOf(event.target.closest?.("a[href]")?.href ?? "");
  if (!place) return false;
  event.preventDefault();
  go({ channel: place.channel, thread: place.thread }).then(() => showMessage(place)).then((found) => {
    if (!found) toast("That message is gone, or you can't see it.");
  });
  return true;
}

// --- start ----------------------------------------------------------------------------------------

function listen() {
  on("go", (place) => go(place));
  on("act-as", (user) => actAs(user));
  on("retry", () => live?.reconnectNow());
  on("panel", (open) => setPanel(open));
  on("open-thread", (ts) => go({ channel: state.channel, thread: ts }).then(() => document.querySelector('[data-composer="thread"]').focus()));
  on("back", (pane) => go({ channel: state.channel, home: state.home && pane === "list", pane }));
  addEventListener("popstate", () => {
    const user = address().get("user");
    if (user && user !== state.user && state.users.has(user)) actAs(user, { keepPlace: false });
    fromAddress();
  });
  document.addEventListener("click", (event) => {
    if (follow(event)) return;
    const mention = event.target.closest?.("[data-mention-channel]");
    if (!mention) return;
    event.preventDefault();
    if (state.channels.has(mention.dataset.mentionChannel)) go({ channel: mention.dataset.mentionChannel });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open], .popover")) return;
    if (panelOpen && !WIDE.matches) setPanel(false);
    else if (state.thread) go({ channel: state.channel });
  });
}

async function start() {
  initTheme(address().get("theme"));
  const body = await api.bootstrap();
  if (!body.channels) return failed(body.error);
  takeBootstrap(body);
  buildShell();
  listen();
  const wanted = address().get("user");
  become(people().some((user) => user.id === wanted) ? wanted : people()[0]?.id ?? null);
  emit("bootstrap");
  emit("breaks");
  setPanel(initialPanel(), { remember: false });
  startTour(initialTour());
  if (state.user) connect();
  await fromAddress();
  document.documentElement.dataset.ready = "true";
  return undefined;
}

function failed(error) {
  document.querySelector(".boot").textContent = `The workspace did not answer (${error}). Trying again…`;
  setTimeout(start, 1500);
}

start();
