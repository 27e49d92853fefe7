// The navigation sidebar, and the switcher for the acting user.

import { add, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { avatar } from "./inline.js";
import { openList } from "./popover.js";
import { botUser, channelName, directs, emit, on, otherSide, people, rooms, state, userName } from "./state.js";

/** The navigation; it follows the state by itself and emits "go" and "act-as". */
export function sidebar() {
  const team = h("h1", { class: "team" });
  const lists = h("div", { class: "nav-lists" });
  const who = h("button", { class: "who", type: "button", "aria-haspopup": "listbox", "aria-expanded": "false", data: { userSwitcher: "" }, onclick: () => choosePerson(who) });
  const node = h("nav", { class: "sidebar", "aria-label": "Workspace" }, h("header", { class: "sidebar-head" }, team, h("span", { class: "sandbox-tag" }, "sandbox")), lists, who);
  const draw = () => {
    team.textContent = state.team.name;
    fill(lists, group("Channels", rooms().map(roomItem)), group("Direct messages", directs().map(directItem)), state.app ? group("Apps", [homeItem()]) : null);
    drawWho(who);
  };
  for (const topic of ["bootstrap", "place", "unread", "bot", "user"]) on(topic, draw);
  return node;
}

const group = (title, items) => h("section", { class: "nav-group", "aria-label": title }, h("h2", {}, title), h("ul", {}, items.length ? items : h("li", { class: "nav-empty" }, "None")));

function item({ selected, unread = 0, label, name, go, data, lead, tail = null }) {
  const count = unread ? h("span", { class: "badge", "aria-label": `${unread} unread` }, String(unread)) : null;
  return h("li", {}, h("button", { class: `nav-item${unread ? " unread" : ""}`, type: "button", "aria-current": selected ? "page" : null, "aria-label": label, data, onclick: () => emit("go", go) },
    lead, h("span", { class: "nav-name" }, name), tail, count));
}

function roomItem(channel) {
  const selected = !state.home && state.channel === channel.id;
  return item({ selected, unread: state.unread.get(channel.id), name: channel.name, go: { channel: channel.id }, data: { channelId: channel.id }, lead: icon(channel.is_private ? "lock" : "hash") });
}

function directItem(channel) {
  const other = state.users.get(otherSide(channel));
  const selected = !state.home && state.channel === channel.id;
  const tail = other?.is_bot ? h("span", { class: "app-badge" }, "APP") : null;
  return item({ selected, unread: state.unread.get(channel.id), name: channelName(channel.id), go: { channel: channel.id }, data: { channelId: channel.id }, lead: avatar(other, "xs"), tail });
}

function homeItem() {
  const dot = h("span", { class: `dot ${state.bot.connected ? "dot-on" : "dot-off"}`, title: state.bot.connected ? "connected" : "not connected" });
  return item({ selected: state.home, label: `${state.app.name} Home, bot ${state.bot.connected ? "connected" : "not connected"}`, name: `${state.app.name} Home`, go: { home: true }, data: { home: "" }, lead: avatar(botUser(), "xs"), tail: dot });
}

function drawWho(who) {
  const me = state.users.get(state.user);
  who.replaceChildren();
  if (!me) return;
  add(who, [avatar(me, "m"), h("span", { class: "who-text" }, h("span", { class: "who-name" }, userName(me.id)), h("span", { class: "who-note" }, me.note || "member")), icon("down", "who-arrow")]);
  who.setAttribute("aria-label", `Acting as ${userName(me.id)}, ${me.note}. Switch user`);
}

function choosePerson(who) {
  const options = people().map((user) => ({
    key: user.id, label: userName(user.id), description: user.note,
    node: h("span", { class: "pop-person" }, avatar(user, "m"), h("span", { class: "pop-text" }, h("span", { class: "pop-label" }, userName(user.id)), h("span", { class: "pop-note" }, `${user.note} · ${user.tz}`))),
  }));
  openList(who, { options, chosen: () => [state.user], pick: (option) => emit("act-as", option.key), label: "Act as" });
}
