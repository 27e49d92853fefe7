// What is wrong with the elements of a picture: text that is cut or outside, raw ids, times in UTC only, spinners.
// Ids in code are there to be copied.
// `clip` is the part of the page that the picture shows.
(roots, clip) => {
  const RAW = /\b[UCDGSWB]0[0-9A-Z]{8,}\b/g;
  const UTC = /\b\d{1,2}:\d\d(:\d\d)? UTC\b/g;
  const LINE = 1.5; // pixels that rounding may add
  const found = [];
  const name = (node) => `<${node.tagName.toLowerCase()} class="${node.className?.baseVal ?? node.className}"> ${(node.textContent ?? "").trim().slice(0, 60)}`;
  const isShown = (node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && !node.closest(".tools") && getComputedStyle(node).clipPath === "none";
  const isCut = (node) => {
    const style = getComputedStyle(node);
    const wide = style.overflowX !== "visible" && node.scrollWidth > node.clientWidth + LINE;
    const high = style.overflowY !== "visible" && node.scrollHeight > node.clientHeight + LINE;
    return node.clientWidth > 0 && (wide || high);
  };
  const texts = (node) => [...node.childNodes].filter((each) => each.nodeType === Node.TEXT_NODE && each.data.trim());
  const boxes = (text) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    return [...range.getClientRects()];
  };
  const frames = (node) => (node.matches(".button, .table-box, .pre, .select, img") ? [node.getBoundingClientRect()] : []);
  const isOutside = (box) => box.width > 0 && (box.left < clip.x - LINE || box.top < clip.y - LINE
    || box.right > clip.x + clip.width + LINE || box.bottom > clip.y + clip.height + LINE);
  const quoted = (root) => [...root.querySelectorAll("code")].map((node) => node.innerText).join(" ");
  for (const root of roots) {
    const scroller = root.closest(".scroller, .home, .modal-body");
    if (scroller && scroller.scrollWidth > scroller.clientWidth + LINE) found.push("the messages are wider than the window");
    for (const node of [root, ...root.querySelectorAll("*")]) {
      if (!isShown(node)) continue;
      if (isCut(node)) found.push(`cut: ${name(node)}`);
      if ([...texts(node).flatMap(boxes), ...frames(node)].some(isOutside)) found.push(`outside the picture: ${name(node)}`);
      if (node.matches(".spinner, .is-busy")) found.push(`still busy: ${name(node)}`);
      if (node.matches("img") && !(node.complete && node.naturalWidth)) found.push(`no picture: ${name(node)}`);
    }
    for (const [pattern, what] of [[RAW, "a raw id"], [UTC, "a time in UTC only"]]) {
      for (const [text] of root.innerText.matchAll(pattern)) if (!quoted(root).includes(text)) found.push(`${what}: ${text}`);
    }
  }
  return [...new Set(found)];
}
