// Draws all examples with the sandbox page's own code, each at a phone's width and at a desktop's.

import { blockNodes } from "page/blocks.js";
import { add, h } from "page/dom.js";
import { messageNode } from "page/messages.js";
import { state, takeBootstrap } from "page/state.js";
import { Surface } from "page/surface.js";

const data = JSON.parse(document.getElementById("data").textContent);
const SIZES = ["phone", "desktop"];
const WIDTHS = { both: "Phone and desktop", phone: "Phone only", desktop: "Desktop only" };
const query = new URLSearchParams(location.search);

takeBootstrap({ users: data.users, channels: data.channels, app: { bot_user_id: data.bot, name: "agentpod" } });
state.user = data.users[0].id;
state.channel = data.channel;

function drawn(content, example, number) {
  if (content.type === "modal") return modal(content);
  if (content.type === "home") return h("div", { class: "home" }, blockNodes(content.blocks, new Surface({}, { kind: "view" })));
  return messageNode({
    ...content, ts: String(data.now + number), channel: data.channel, user: data.bot, local: true,
    ...(example.private ? { ephemeral_for: state.user } : {}),
  });
}

function modal(view) {
  return h("div", { class: "modal" },
    h("header", { class: "modal-head" }, h("h2", { class: "dialog-title" }, view.title.text)),
    h("div", { class: "modal-body" }, blockNodes(view.blocks, new Surface({}, { kind: "view" }))),
    h("footer", { class: "dialog-foot" }, h("button", { class: "button", type: "button" }, view.close.text), h("button", { class: "button button-primary", type: "button" }, view.submit.text)));
}

function exampleNode(example, feature) {
  const node = h("article", { class: "example", data: { text: `${feature} ${JSON.stringify(example)}`.toLowerCase(), findings: String(example.findings.length) } });
  return add(node, [
    h("h3", {}, example.title, example.covers.map((name) => h("code", {}, name))),
    h("div", { class: "sizes" }, SIZES.map((size) => h("div", { class: `size ${size}` }, example.messages.map((content, number) => drawn(content, example, number))))),
    example.findings.map((text) => h("p", { class: "finding" }, `⚑ ${text}`)),
  ]);
}

function draw() {
  for (const [number, feature] of data.features.entries()) {
    document.getElementById("contents").append(h("a", { href: `#f${number}` }, `${feature.name} (${feature.examples.length})`));
    document.getElementById("messages").append(h("section", { class: "feature", id: `f${number}` }, h("h2", {}, feature.name), feature.examples.map((example) => exampleNode(example, feature.name))));
  }
}

function filter() {
  const wanted = document.getElementById("filter").value.toLowerCase();
  const found = document.getElementById("found").checked;
  for (const node of document.querySelectorAll(".example")) node.hidden = !node.dataset.text.includes(wanted) || (found && node.dataset.findings === "0");
  for (const node of document.querySelectorAll(".feature")) node.hidden = !node.querySelector(".example:not([hidden])");
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = theme === "dark" ? "Light" : "Dark";
}

function setWidth(width) {
  document.documentElement.dataset.width = width;
  document.getElementById("width").textContent = WIDTHS[width];
}

document.getElementById("filter").addEventListener("input", filter);
document.getElementById("found").addEventListener("change", filter);
document.getElementById("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
document.getElementById("width").addEventListener("click", () => {
  const names = Object.keys(WIDTHS);
  setWidth(names[(names.indexOf(document.documentElement.dataset.width) + 1) % names.length]);
});
document.getElementById("filter").value = query.get("filter") ?? "";
setTheme(query.get("theme") === "dark" ? "dark" : "light");
setWidth(Object.hasOwn(WIDTHS, query.get("width")) ? query.get("width") : "both");
draw();
for (const image of document.querySelectorAll('img[src="./app.svg"]')) image.src = data.icon;
filter();
document.documentElement.dataset.ready = "true";
