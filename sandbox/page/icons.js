// Line icons on a 24 × 24 grid, drawn with the text's colour.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  hash: ["M9.500 4 7.500 20", "M16.500 4l-2 16", "M4.500 9h16", "M3.500 15h16"],
  lock: ["M6 11h12v9H6z", "M8.500 11V8a3.500 3.500 0 0 1 7 0v3"],
  home: ["M4 11 12 4l8 7v9h-5.500v-6h-5v6H4z"],
  chat: ["M4 5h16v11H11l-4.500 4V16H4z"],
  back: ["M15 5l-7 7 7 7"],
  down: ["M6 9l6 6 6-6"],
  right: ["M9 5l7 7-7 7"],
  close: ["M6 6l12 12", "M18 6 6 18"],
  send: ["M4 12 3.500 4.500 21 12 3.500 19.500z", "M4 12h8"],
  bolt: ["M13 3 5 14h6l-1 7 8-11h-6z"],
  eye: ["M2.500 12s3.500-6.500 9.500-6.500 9.500 6.500 9.500 6.500-3.500 6.500-9.500 6.500S2.500 12 2.500 12z", "M12 9.200a2.800 2.800 0 1 1 0 5.600 2.800 2.800 0 0 1 0-5.600z"],
  clock: ["M12 3.500a8.500 8.500 0 1 1 0 17 8.500 8.500 0 0 1 0-17z", "M12 7.500V12l3 2"],
  moon: ["M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z"],
  sun: ["M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8z", "M12 2.500v2", "M12 19.500v2", "M2.500 12h2", "M19.500 12h2", "M5.300 5.300l1.400 1.400", "M17.300 17.300l1.400 1.400", "M5.300 18.700l1.400-1.400", "M17.300 6.700l1.400-1.400"],
  more: ["M5.500 11.500v1", "M12 11.500v1", "M18.500 11.500v1"],
  check: ["M5 12.500l4.500 4.500L19 7.500"],
  search: ["M10.500 4.500a6 6 0 1 1 0 12 6 6 0 0 1 0-12z", "M15 15l5 5"],
  file: ["M6 3.500h8l4.500 4.500v12.500H6z", "M13.500 3.500V8.500H18.500", "M9 13h6", "M9 16.500h6"],
  image: ["M4 5h16v14H4z", "M4 16l4.500-4.500 4 4 2.500-2.500 5 5", "M15 9h.01"],
  download: ["M12 4v11", "M7.500 10.500 12 15l4.500-4.500", "M5 19.500h14"],
  reply: ["M9 5 4 10l5 5", "M4 10h9a7 7 0 0 1 7 7v2"],
  copy: ["M9 9h11v11H9z", "M15 9V4H4v11h5"],
  heart: ["M12 20S4 15 4 9.300A4.300 4.300 0 0 1 12 7a4.300 4.300 0 0 1 8 2.300C20 15 12 20 12 20z"],
  box: ["M12 3l8 4.500v9L12 21l-8-4.500v-9z", "M4 7.500l8 4.500 8-4.500", "M12 12v9"],
  globe: ["M12 3.500a8.500 8.500 0 1 1 0 17 8.500 8.500 0 0 1 0-17z", "M3.500 12h17", "M12 3.500c5 5 5 12 0 17", "M12 3.500c-5 5-5 12 0 17"],
  gear: ["M4 7h9", "M17 7h3", "M15 5v4", "M4 17h3", "M11 17h9", "M9 15v4"],
  alert: ["M12 4 2.800 20h18.400z", "M12 10v4.500", "M12 17.300h.01"],
  info: ["M12 3.500a8.500 8.500 0 1 1 0 17 8.500 8.500 0 0 1 0-17z", "M12 11v5.500", "M12 7.700h.01"],
  at: ["M12 8.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7z", "M15.500 8.500V13.500a2.300 2.300 0 0 0 4.800 0V12a8.300 8.300 0 1 0-3.300 6.600"],
  slash: ["M15.500 4 8.500 20"],
  menu: ["M4 6.500h16", "M4 12h16", "M4 17.500h16"],
};

/** The named icon as an SVG element that assistive technology skips. */
export function icon(name, className = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon ${className}`.trim());
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
