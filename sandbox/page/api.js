// The calls and the pushes of PAGE_API.md. A failed call never throws: it answers {ok: false, error}.

async function request(path, options) {
  try {
    const response = await fetch(path, options);
    const body = await response.json().catch(() => null);
    if (body !== null) return response.ok ? body : { ok: false, error: `http_${response.status}`, ...body };
    return { ok: false, error: `http_${response.status}` };
  } catch {
    return { ok: false, error: "sandbox_unreachable" };
  }
}

const get = (path, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const search = new URLSearchParams(given).toString();
  return request(search ? `${path}?${search}` : path);
};

const post = (path, body = {}) =>
  request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

export const api = {
  bootstrap: () => get("/ui/api/bootstrap"),
  history: (channel, user, threadTs) => get("/ui/api/history", { channel, user, thread_ts: threadTs }),
  message: (body) => post("/ui/api/message", body),
  command: (body) => post("/ui/api/command", body),
  invite: (body) => post("/ui/api/invite", body),
  shortcut: (body) => post("/ui/api/shortcut", body),
  workflow: (body) => post("/ui/api/workflow", body),
  action: (body) => post("/ui/api/action", body),
  viewSubmit: (body) => post("/ui/api/view_submit", body),
  viewClose: (body) => post("/ui/api/view_close", body),
  homeOpened: (user) => post("/ui/api/home_opened", { user }),
  breaks: () => get("/ui/api/breaks"),
  setBreak: (id, value) => post(`/ui/api/breaks/${encodeURIComponent(id)}`, { value }),
  heal: () => post("/ui/api/heal"),
};

const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 5000;

/** The WebSocket for one user: reconnects by itself until closed. */
export class Live {
  constructor(user, { onPush, onStatus }) {
    this.user = user;
    this.onPush = onPush;
    this.onStatus = onStatus;
    this.delay = FIRST_RETRY_MS;
    this.closed = false;
    this.retry = () => this.reconnectNow();
    addEventListener("online", this.retry);
    this.connect();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ui/ws?user=${encodeURIComponent(this.user)}`);
    this.socket = socket;
    socket.addEventListener("open", () => {
      this.delay = FIRST_RETRY_MS;
      if (!this.closed) this.onStatus("open");
    });
    socket.addEventListener("message", (event) => {
      if (!this.closed) this.onPush(JSON.parse(event.data));
    });
    socket.addEventListener("close", () => this.lost());
  }

  lost() {
    if (this.closed) return;
    this.onStatus("closed");
    this.timer = setTimeout(() => this.connect(), this.delay);
    this.delay = Math.min(this.delay * 2, LAST_RETRY_MS);
  }

  /** Reconnect now, without the delay: the user asked, or the network came back. */
  reconnectNow() {
    if (this.closed || this.socket.readyState <= WebSocket.OPEN) return;
    clearTimeout(this.timer);
    this.connect();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    removeEventListener("online", this.retry);
    this.socket.close();
  }
}
