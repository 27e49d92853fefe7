// The page's frame: header, message pane, thread pane, App Home, panel.

import { blockNodes } from "./blocks.js";
import { Composer } from "./composer.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { avatar } from "./inline.js";
import { MessageList } from "./messages.js";
import { breakPanel } from "./panel.js";
import { sidebar } from "./sidebar.js";
import { activeFaults, appDirect, botUser, channelName, emit, messagesOf, on, otherSide, state } from "./state.js";
import { Surface } from "./surface.js";
import { hasTour, tourGuide, tourIsOpen } from "./tour.js";
import { currentTheme, onSystemTheme, toggleTheme } from "./theme.js";

const root = document.getElementById("app");

const iconButton = (name, label, onclick, data = {}, className = "") => h("button", { class: `button button-icon ${className}`, type: "button", "aria-label": label, title: label, onclick, data }, icon(name));

/** Build everything once; afterwards it follows the state. */
export function buildShell() {
  const main = mainPane();
  const thread = threadPane();
  const panel = breakPanel({ onClose: () => emit("panel", false) });
  fill(root, sidebar(), main, thread, panel);
  on("place", () => {
    root.dataset.thread = state.thread && !state.home ? "open" : "closed";
    root.dataset.home = String(state.home);
  });
  on("panel-changed", (open) => (root.dataset.panel = open ? "open" : "closed"));
}

/** Which pane a narrow window shows: "list", "main" or "thread". */
export function showPane(name) {
  root.dataset.pane = name;
  const held = document.activeElement;
  if (held.closest(".app > *") && !held.checkVisibility()) root.querySelector(`.${name === "list" ? "sidebar" : name} :is([data-back], .nav-item)`)?.focus();
}

function mainPane() {
  const list = new MessageList({ label: "Messages", intro });
  const composer = new Composer({ label: "Message" });
  const home = h("div", { class: "home", data: { homeView: "" } });
  const head = h("header", { class: "pane-head" });
  const offline = h("div", { class: "offline", role: "status", hidden: true, data: { offline: "" } });
  const drawHead = () => keepingFocus(head, () => fill(head, iconButton("back", "Back to the list", () => emit("back", "list"), { back: "list" }, "phone-only"), heading(), chips()));
  const drawMessages = (change = {}) => {
    if (state.home || (change.channel && change.channel !== state.channel)) return;
    const fresh = change.isNew && !change.message.thread_ts ? change.message : null;
    list.draw(`${state.user} ${state.channel}`, state.channel ? messagesOf(state.channel) : [], fresh);
  };
  on("place", () => {
    drawHead();
    home.hidden = !state.home;
    list.node.hidden = composer.node.hidden = state.home;
    composer.moveTo(`${state.user} ${state.channel}`, `Message ${placeName()}`);
    composer.text.setAttribute("aria-label", `Message ${placeName()}`);
    drawMessages();
    drawHome(home);
  });
  on("messages", drawMessages);
  on("home", () => drawHome(home));
  for (const topic of ["bot", "breaks", "bootstrap", "theme", "panel-changed", "tour-changed"]) on(topic, drawHead);
  onSystemTheme(drawHead);
  on("live", () => {
    offline.hidden = state.live !== "closed";
    fill(offline, h("span", { class: "spinner" }), "The sandbox does not answer. Reconnecting… ", h("button", { class: "text-button", type: "button", onclick: () => emit("retry") }, "Try now"));
    root.dataset.live = state.live;
  });
  return h("section", { class: "main", "aria-label": "Messages" }, head, offline, tourGuide(), list.node, home, composer.node);
}

/** Draw `node` anew, and focus again the button that had the focus in it. */
function keepingFocus(node, draw) {
  const [held] = node.contains(document.activeElement) ? Object.keys(document.activeElement.dataset) : [];
  draw();
  if (held) [...node.querySelectorAll("button")].find((button) => held in button.dataset)?.focus();
}

function placeName() {
  const channel = state.channels.get(state.channel);
  return channel ? `${channel.is_im ? "" : "#"}${channelName(channel.id)}` : "";
}

function heading() {
  const channel = state.channels.get(state.channel);
  const inApp = state.home || (channel?.is_im && otherSide(channel) === state.app?.bot_user_id);
  if (inApp) return h("div", { class: "heading" }, h("h1", {}, avatar(botUser(), "s"), h("span", {}, state.app.name), h("span", { class: "app-badge" }, "APP")), tabs());
  if (!channel) return h("div", { class: "heading" });
  const lead = channel.is_im ? avatar(state.users.get(otherSide(channel)), "s") : icon(channel.is_private ? "lock" : "hash");
  return h("div", { class: "heading" }, h("h1", {}, lead, h("span", {}, channelName(channel.id))), channel.topic ? h("p", { class: "topic", title: channel.topic }, channel.topic) : null);
}

function tabs() {
  const direct = appDirect();
  const tab = (label, selected, go) => h("button", { class: "tab", type: "button", role: "tab", "aria-selected": String(selected), onclick: () => emit("go", go) }, label);
  return h("div", { class: "tabs", role: "tablist" }, tab("Home", state.home, { home: true }), direct ? tab("Messages", !state.home, { channel: direct.id }) : null);
}

function chips() {
  const { connected, connections } = state.bot;
  const several = connections > 1 ? ` (${connections})` : "";
  const bot = h("span", { class: `chip-status ${connected ? "on" : "off"}`, role: "status", title: connected ? `${connections} open connections` : "Commands and clicks will fail until the bot connects", data: { botStatus: connected ? "connected" : "disconnected" } },
    h("span", { class: `dot ${connected ? "dot-on" : "dot-off"}` }), h("span", { class: "chip-text" }, connected ? `Bot connected${several}` : "Bot not connected"));
  const dark = currentTheme() === "dark";
  const theme = iconButton(dark ? "sun" : "moon", dark ? "Use the light theme" : "Use the dark theme", () => {
    toggleTheme();
    emit("theme");
    document.querySelector("[data-theme-toggle]").focus();
  }, { themeToggle: "" });
  const count = activeFaults();
  const open = root.dataset.panel === "open";
  const panel = h("button", { class: "button panel-button", type: "button", "aria-expanded": String(open), "aria-label": `Break things${count ? `, ${count} active` : ""}`, data: { panelToggle: "" }, onclick: () => emit("panel", !open) },
    icon("bolt"), h("span", { class: "panel-button-text" }, "Break things"), count ? h("span", { class: "badge" }, String(count)) : null);
  const shown = tourIsOpen();
  const tour = hasTour() ? h("button", { class: "button button-icon", type: "button", "aria-label": "Tour", title: "Tour", "aria-expanded": String(shown), data: { tourToggle: "" }, onclick: () => emit("tour", !shown) }, icon("info")) : null;
  return h("div", { class: "head-tools" }, bot, tour, theme, panel);
}

function intro() {
  const channel = state.channels.get(state.channel);
  if (!channel) return null;
  if (channel.is_im) {
    const other = state.users.get(otherSide(channel));
    return h("div", { class: "intro" }, avatar(other, "l"), h("h2", {}, channelName(channel.id)), h("p", {}, "This is the beginning of your direct messages with ", h("strong", {}, channelName(channel.id)), "."));
  }
  return h("div", { class: "intro" }, h("span", { class: "intro-icon" }, icon(channel.is_private ? "lock" : "hash")), h("h2", {}, `#${channel.name}`),
    h("p", {}, `This is the beginning of #${channel.name}. `, channel.topic ?? ""), state.commands.length ? h("p", { class: "muted" }, "Type ", h("kbd", {}, state.commands[0].command), " to see what the bot can do.") : null);
}

let homeSurface = null;

function drawHome(node) {
  if (!state.home) return;
  const view = state.homeView;
  if (!view) {
    homeSurface = null;
    fill(node, h("div", { class: "empty" }, h("img", { class: "avatar avatar-l", src: "./app.svg", alt: "" }), h("h2", {}, "Nothing here yet"), h("p", { class: "muted" }, `${state.app?.name ?? "The app"} has not published a Home tab for this person.`)));
    return;
  }
  const kept = homeSurface?.place.view_id === view.id ? homeSurface.values : {};
  homeSurface = new Surface({ view_id: view.id, channel: undefined }, { values: kept, kind: "view" });
  fill(node, h("div", { class: "home-view", data: { viewId: view.id } }, blockNodes(view.blocks, homeSurface)));
}

function threadPane() {
  const list = new MessageList({ label: "Thread", inThread: true });
  const composer = new Composer({ label: "Reply", thread: () => state.thread ?? "" });
  const where = h("span", { class: "muted" });
  const head = h("header", { class: "pane-head" }, iconButton("back", "Back to the channel", () => emit("back", "main"), { back: "main" }, "phone-only"),
    h("div", { class: "heading" }, h("h1", {}, "Thread"), where), iconButton("close", "Close the thread", () => emit("back", "main"), { threadClose: "" }, "desktop-only"));
  const node = h("section", { class: "thread", "aria-label": "Thread", data: { threadPane: "" } }, head, list.node, composer.node);
  const draw = (change = {}) => {
    if (!state.thread || (change.channel && change.channel !== state.channel)) return;
    const fresh = change.isNew && change.message.thread_ts === state.thread ? change.message : null;
    list.draw(`${state.user} ${state.channel} ${state.thread}`, messagesOf(state.channel, state.thread), fresh);
  };
  on("place", () => {
    if (!state.thread) return;
    where.textContent = placeName();
    composer.moveTo(`${state.user} ${state.channel} ${state.thread}`, "Reply…");
    draw();
  });
  on("messages", draw);
  return node;
}
