// Light and dark theme: the system's preference until the user chooses, which is remembered.

const KEY = "agentpod-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Private windows may refuse storage; the choice then lasts as long as the page.
  }
}

/** The current theme: "light" or "dark". */
export function currentTheme() {
  return document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
}

/** Take the theme from the address, else from an earlier choice, else follow the system. */
export function initTheme(fromUrl) {
  const theme = [fromUrl, stored()].find((value) => value === "light" || value === "dark");
  if (theme) document.documentElement.dataset.theme = theme;
}

/** Switch to the other theme and remember it. */
export function toggleTheme() {
  const theme = currentTheme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  remember(theme);
  return theme;
}

/** Call `listener` when the system's preference changes. */
export function onSystemTheme(listener) {
  dark.addEventListener("change", listener);
}
