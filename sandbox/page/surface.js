// Where interactive blocks live (a message or a view): their values, and what a click sends.

import { api } from "./api.js";
import { busyWhile, toast } from "./dom.js";
import { state } from "./state.js";

const WORDS = {
  dispatch_failed: "the app is not connected, so nobody heard it.",
  operation_timeout: "the app did not answer within three seconds.",
  sandbox_unreachable: "the sandbox does not answer.",
};

/** "dispatch_failed" with what it means, for a message to a person. */
export const explain = (error) => (WORDS[error] ? `${WORDS[error]} (${error})` : String(error ?? "unknown error"));

/** The interactive state of one message's or view's blocks. */
export class Surface {
  /** `place` is `{channel, message_ts}` or `{view_id}`; `values` continues an earlier rendering. */
  constructor(place, { values = {}, kind = "message" } = {}) {
    this.place = place;
    this.kind = kind;
    this.kept = values;
    this.values = {};
    this.fields = [];
  }

  /** The value entered before a redraw, if the element is still the same. */
  earlier(blockId, element) {
    const value = this.kept[blockId]?.[element.action_id];
    return value?.type === element.type ? value : null;
  }

  set(blockId, actionId, value) {
    this.values[blockId] = { ...this.values[blockId], [actionId]: value };
  }

  /** Send one interaction; `node` shows a spinner until the app has acknowledged. Resolves to whether it did. */
  async act(node, blockId, payload) {
    const body = { user: state.user, channel: state.channel, ...this.place, action: { ...payload, block_id: blockId }, values: this.values };
    const answer = await busyWhile(node, api.action(body));
    if (!answer.ok) toast(`That did not work: ${explain(answer.error)}`);
    return Boolean(answer.ok);
  }
}
