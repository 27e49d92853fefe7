// Block Kit layout blocks as DOM.

import { h, isLocal, link, safeUrl, uid } from "./dom.js";
import { elementNode, imageElement, textNodes } from "./elements.js";
import { icon } from "./icons.js";
import { plainText } from "./inline.js";
import { markdown } from "./markdown.js";
import { richText } from "./richtext.js";
import { fileById } from "./state.js";

/** DOM nodes for blocks; their values and clicks go through `surface`. */
export function blockNodes(blocks, surface) {
  return (blocks ?? []).map((block, index) => {
    const given = { ...block, block_id: block.block_id ?? `block-${index}` };
    const node = (MAKERS[block.type] ?? unsupported)(given, surface);
    node.classList.add("block");
    Object.assign(node.dataset, { blockId: given.block_id, blockType: block.type });
    return node;
  });
}

const unsupported = (block) =>
  h("div", { class: "unsupported", data: { unsupported: block.type } }, icon("alert"), `Unsupported block: ${block.type}`);

function section(block, surface) {
  const where = { surface, blockId: block.block_id, dispatch: true };
  const accessory = block.accessory ? h("div", { class: `accessory accessory-${block.accessory.type}` }, elementNode(block.accessory, where)) : null;
  return h("div", { class: "block-section" },
    h("div", { class: "section-main" },
      block.text ? h("div", { class: "text" }, textNodes(block.text)) : null,
      block.fields ? h("div", { class: "fields" }, block.fields.map((field) => h("div", { class: "text field" }, textNodes(field)))) : null),
    accessory);
}

function context(block) {
  return h("div", { class: "block-context" }, (block.elements ?? []).map((element) =>
    element.type === "image" ? h("span", { class: "context-image" }, imageElement(element, imageUrl)) : h("div", { class: "text" }, textNodes(element))));
}

function actions(block, surface) {
  const where = { surface, blockId: block.block_id, dispatch: true };
  return h("div", { class: "block-actions" }, (block.elements ?? []).map((element) => elementNode(element, where)));
}

function input(block, surface) {
  const element = block.element ?? {};
  const node = elementNode(element, { surface, blockId: block.block_id, dispatch: block.dispatch_action === true });
  const [label, hint, error] = [uid("label"), uid("hint"), uid("error")];
  node.setAttribute("aria-labelledby", label);
  node.setAttribute("aria-describedby", `${hint} ${error}`);
  node.removeAttribute("aria-label");
  if (!block.optional) node.setAttribute("aria-required", "true");
  surface.fields.push({ blockId: block.block_id, element, optional: Boolean(block.optional), node });
  return h("div", { class: "block-input" },
    h("div", { class: "label", id: label, onclick: () => node.focus() }, textNodes(block.label), block.optional ? h("span", { class: "optional" }, " (optional)") : null),
    node,
    h("p", { class: "field-error", id: error, data: { errorFor: block.block_id }, "aria-live": "polite", hidden: true }),
    block.hint ? h("p", { class: "hint", id: hint }, textNodes(block.hint)) : null);
}

// The content policy allows images from this server only, such as the workspace's files.
function imageUrl(block) {
  // An app's blocks can show an image of its own that isn't shared in any channel.
  const id = block.slack_file?.id;
  if (id) return fileById(id)?.url ?? `${location.origin}/files/${encodeURIComponent(id)}`;
  return block.slack_file?.url ?? block.image_url;
}

function image(block) {
  const url = imageUrl(block);
  const picture = imageElement({ ...block, image_url: url });
  return h("figure", { class: "block-image" },
    block.title ? h("figcaption", {}, textNodes(block.title)) : null,
    url && isLocal(url) ? h("a", { href: safeUrl(url), target: "_blank", rel: "noopener" }, picture) : picture);
}

function table(block) {
  const settings = block.column_settings ?? [];
  const cell = (tag) => (value, column) => {
    const { align = "left", is_wrapped: wrapped } = settings[column] ?? {};
    const content = value.type === "rich_text" ? richText(value) : String(value.text ?? value.value ?? "");
    return h(tag, { class: `align-${align}${wrapped ? " wrapped" : ""}`, scope: tag === "th" ? "col" : null, dir: "auto" }, content);
  };
  const [head, ...rows] = block.rows ?? [];
  return h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": "Table, scrolls sideways" },
    h("table", {},
      head ? h("thead", {}, h("tr", {}, head.map(cell("th")))) : null,
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell("td")))))));
}

function file(block) {
  const known = fileById(block.file_id);
  const name = known?.title ?? known?.name ?? block.external_id ?? "Remote file";
  return h("div", { class: "block-file" }, icon("file"), known ? link(known.url, name) : name);
}

function video(block) {
  const url = safeUrl(block.title_url ?? block.video_url ?? "");
  return h("div", { class: "block-video" },
    h("p", { class: "video-title" }, url ? link(url, textNodes(block.title)) : textNodes(block.title)),
    block.description ? h("p", { class: "muted" }, textNodes(block.description)) : null,
    h("p", { class: "muted" }, [block.provider_name, block.alt_text].filter(Boolean).join(" · ")));
}

const LEVELS = { info: "info", warning: "alert", error: "alert", success: "check", default: "info" };

function alert(block) {
  const level = LEVELS[block.level] ? block.level : "default";
  return h("div", { class: `block-alert alert-${level}`, role: "note" }, icon(LEVELS[level]), h("div", { class: "text" }, textNodes(block.text)));
}

const MAKERS = {
  section,
  context,
  actions,
  input,
  image,
  table,
  file,
  video,
  alert,
  header: (block) => h("div", { class: "block-header", role: "heading", "aria-level": "3", dir: "auto" }, plainText(block.text?.text ?? "", block.text?.emoji !== false)),
  divider: () => h("hr", { class: "block-divider" }),
  rich_text: (block) => h("div", { class: "text block-rich" }, richText(block)),
  markdown: (block) => h("div", { class: "text block-markdown" }, markdown(block.text)),
};
