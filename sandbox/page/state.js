// The page's state and its change listeners. No DOM here.

const listeners = new Map();

export const state = {
  run: "",
  team: { id: "", name: "" },
  app: null,
  users: new Map(),
  channels: new Map(),
  commands: [],
  shortcuts: [],
  steps: [],
  breaks: [],
  bot: { connected: false, connections: 0 },
  user: null,
  channel: null,
  thread: null,
  home: false,
  homeView: null,
  live: "connecting",
  messages: new Map(),
  loaded: new Set(),
  unread: new Map(),
};

/** Call `listener` whenever `topic` is emitted. */
export function on(topic, listener) {
  listeners.set(topic, [...(listeners.get(topic) ?? []), listener]);
}

export function emit(topic, data) {
  for (const listener of listeners.get(topic) ?? []) listener(data);
}

/** Initialise the state from the answer of GET /ui/api/bootstrap. */
export function takeBootstrap(body) {
  state.run = body.run ?? state.run;
  state.team = body.team ?? state.team;
  state.app = body.app ?? null;
  state.users = new Map((body.users ?? []).map((user) => [user.id, user]));
  state.channels = new Map((body.channels ?? []).map((channel) => [channel.id, channel]));
  state.commands = body.commands ?? [];
  state.shortcuts = body.shortcuts ?? [];
  state.steps = body.steps ?? [];
  state.breaks = body.breaks ?? [];
  state.bot = body.bot ?? state.bot;
}

export const people = () => [...state.users.values()].filter((user) => !user.is_bot);
export const botUser = () => state.users.get(state.app?.bot_user_id) ?? null;

export function userName(id, fallback = id) {
  const user = state.users.get(id);
  return user?.real_name || user?.name || fallback;
}

/** The other side of a direct message, seen by the acting user. */
export function otherSide(channel) {
  const other = (channel.members ?? []).find((id) => id !== state.user);
  if (other) return other;
  return channel.user && channel.user !== state.user ? channel.user : state.app?.bot_user_id;
}

export function channelName(id, fallback = id) {
  const channel = state.channels.get(id);
  if (!channel) return fallback;
  return channel.is_im ? userName(otherSide(channel)) : channel.name;
}

function canSee(channel) {
  if (Array.isArray(channel.members) && channel.members.length) {
    return channel.members.includes(state.user) || (!channel.is_im && !channel.is_private);
  }
  return !channel.is_im || channel.user === state.user || channel.user === state.app?.bot_user_id;
}

/** Channels and direct messages that the acting user sees. */
export const visibleChannels = () => [...state.channels.values()].filter(canSee);
export const rooms = () => visibleChannels().filter((channel) => !channel.is_im);
export const directs = () => visibleChannels().filter((channel) => channel.is_im);

/** The direct message with the app, or null. */
export const appDirect = () => directs().find((channel) => otherSide(channel) === state.app?.bot_user_id) ?? null;

export const activeFaults = () => state.breaks.filter((item) => item.active).length;

// --- messages ---------------------------------------------------------------------------------

export const isReply = (message) => Boolean(message.thread_ts) && message.thread_ts !== message.ts;

function store(channel) {
  if (!state.messages.has(channel)) state.messages.set(channel, new Map());
  return state.messages.get(channel);
}

/** The channels of which messages are loaded. */
export const loadedChannels = () => [...state.messages.keys()];

/** Messages of a channel (or of one of its threads, the first one included), oldest first. */
export function messagesOf(channel, thread = null) {
  const wanted = thread ? (m) => m.ts === thread || m.thread_ts === thread : (m) => !isReply(m);
  return [...store(channel).values()].filter((m) => wanted(m) && !isDismissed(m)).sort((a, b) => Number(a.ts) - Number(b.ts));
}

export const messageAt = (channel, ts) => store(channel).get(ts) ?? null;

// When a push last changed each message: a history requested before that may be older.
const heard = new Map();
let pushes = 0;

function hear(channel, ts) {
  pushes += 1;
  heard.set(`${channel} ${ts}`, pushes);
}

/** The number of pushes so far, to be read before requesting a history for `takeHistory`. */
export const pushesSoFar = () => pushes;

/**
 * Replace what is known of a channel (or of a thread) by what the server has; keeps the page's own notes, and what
 * was pushed since it was `asked` for.
 */
export function takeHistory(channel, messages, { thread = null, asked }) {
  const known = store(channel);
  const isNewer = (ts) => (heard.get(`${channel} ${ts}`) ?? 0) > asked;
  const given = new Map(messages.filter(({ ts }) => !isNewer(ts)).map((message) => [message.ts, message]));
  for (const [ts, message] of known) {
    const inScope = thread ? ts === thread || message.thread_ts === thread : !isReply(message);
    if (inScope && !message.local && !given.has(ts) && !isNewer(ts)) known.delete(ts);
  }
  for (const [ts, message] of given) known.set(ts, sameOr(known.get(ts), message));
  emit("messages", { channel });
}

// Keeping the object when nothing changed lets the list keep the row, and what was typed in it.
const sameOr = (old, fresh) => (old && JSON.stringify(old) === JSON.stringify(fresh) ? old : fresh);

/** A new or an edited message. */
export function takeMessage(channel, message) {
  const known = store(channel);
  hear(channel, message.ts);
  const isNew = !known.has(message.ts);
  known.set(message.ts, sameOr(known.get(message.ts), message));
  if (isNew && isReply(message)) countReply(known, message);
  emit("messages", { channel, message, isNew });
}

// The server may also send the thread's first message with new counts: don't count twice.
function countReply(known, reply) {
  const parent = known.get(reply.thread_ts);
  if (!parent || reply.ephemeral_for || Number(parent.latest_reply ?? 0) >= Number(reply.ts)) return;
  known.set(parent.ts, { ...parent, reply_count: (parent.reply_count ?? 0) + 1, latest_reply: reply.ts });
}

export function dropMessage(channel, ts) {
  hear(channel, ts);
  store(channel).delete(ts);
  emit("messages", { channel });
}

/** Drop all messages: they are another user's view. */
export function forgetMessages() {
  state.messages.clear();
  state.loaded.clear();
  state.unread.clear();
}

/** The file with this id, wherever it was shared: image blocks may refer to one. */
export function fileById(id) {
  for (const channel of state.messages.values()) {
    for (const message of channel.values()) {
      const file = (message.files ?? []).find((each) => each.id === id);
      if (file) return file;
    }
  }
  return null;
}

// --- dismissed ephemeral messages ---------------------------------------------------------------

const DISMISSED = "agentpod-dismissed";
let dismissed = new Set(read(DISMISSED) ?? []);

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

const dismissKey = (message) => `${state.user} ${message.ts}`;
const isDismissed = (message) => dismissed.has(dismissKey(message));

/** Hide an ephemeral message from this user for the life of the tab. */
export function dismiss(channel, message) {
  dismissed = new Set([...dismissed, dismissKey(message)]);
  try {
    sessionStorage.setItem(DISMISSED, JSON.stringify([...dismissed]));
  } catch {
    // Without storage the message is back when the page reloads.
  }
  emit("messages", { channel });
}

let localCount = 0;
/** Add a note that exists on this page only, shown as Slackbot's ephemeral message to the acting user. */
export function addLocalNote(channel, text, thread = null) {
  localCount += 1;
  const ts = `${Math.floor(Date.now() / 1000)}.${String(900_000 + localCount).padStart(6, "0")}`;
  takeMessage(channel, { ts, thread_ts: thread, user: "USLACKBOT", username: "Slackbot", text, local: true, ephemeral_for: state.user });
}
