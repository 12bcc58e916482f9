// The little that pages need beside htmx: the age that runs on, an answer to every frame, keys, and the choice of a theme.
"use strict";

const STALE_MS = 3000;
const CHORD_MS = 1200;
let told = null; // when the strip was last told, by this browser's clock, and how old it was then
let reached = true;

function words(ms) {
  return ms < 10000 ? (ms / 1000).toFixed(1) + " s" : ms < 120000 ? Math.round(ms / 1000) + " s" : Math.round(ms / 60000) + " min";
}

function take() {
  const strip = document.getElementById("strip");
  const age = strip && strip.dataset.ageMs;
  told = age === undefined ? null : { at: performance.now(), age: Number(age) };
}

function run() {
  const strip = document.getElementById("strip");
  if (!told || !strip) return;
  const age = told.age + performance.now() - told.at;
  const shown = document.getElementById("age");
  if (shown) shown.textContent = words(age) + (reached ? "" : ", no connection");
  document.body.classList.toggle("cut", age > STALE_MS || !reached);
}

function isOpen() {
  return document.querySelector("dialog[open]") !== null;
}

function live() {
  take();
  setInterval(run, 200);
  let focused = "";
  let owed = false; // whether a part has been held back under the pointer
  document.body.addEventListener("htmx:wsBeforeMessage", (event) => {
    focused = document.activeElement ? document.activeElement.id : "";
    if (!isOpen()) return;
    // Nothing moves under an open dialog; the whole page is asked for again a little later.
    event.preventDefault();
    setTimeout(() => event.detail.socketWrapper.sendImmediately("not shown"), 1000);
  });
  document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
    // Rows stand still under the pointer, so that the one that is pressed is the one that was meant.
    if (!event.detail.target.matches("[data-still]:hover")) return;
    event.detail.shouldSwap = false;
    owed = true;
  });
  document.body.addEventListener("htmx:wsAfterMessage", (event) => {
    reached = true;
    take();
    run();
    const again = focused && document.getElementById(focused);
    if (again && document.activeElement !== again) again.focus({ preventScroll: true });
    // What was held back is sent again, with everything else, once the pointer has gone.
    const isDue = owed && !document.querySelector("[data-still]:hover");
    if (isDue) owed = false;
    event.detail.socketWrapper.sendImmediately(isDue ? "not shown" : "taken");
    // Parts of a page that ask for themselves listen for this: hx-trigger="hint from:body throttle:1s".
    htmx.trigger(document.body, "hint");
  });
  document.body.addEventListener("htmx:wsClose", (event) => {
    reached = false;
    const code = event.detail.event.code;
    if (code === 4401) location.reload();
    // htmx itself comes back after the codes of a broken line; the others are ours and a server's goodbye.
    else if (![1006, 1011, 1012, 1013].includes(code)) setTimeout(() => event.detail.socketWrapper.reconnect(), 1000);
  });
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const by = event.detail.requestConfig.triggeringEvent;
    if (by && by.type === "hint" && (isOpen() || String(document.getSelection()))) event.preventDefault();
  });
}

function isTyping(target) {
  return target.isContentEditable || ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName);
}

function keys() {
  let first = "";
  let since = 0;
  const help = document.getElementById("keys");
  const opens = document.getElementById("keys-open");
  if (opens && help) {
    opens.hidden = false;
    opens.addEventListener("click", () => help.showModal());
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || isOpen() || isTyping(event.target)) return;
    const chord = performance.now() - since < CHORD_MS && first ? first + " " + event.key : "";
    first = event.key === "g" ? "g" : "";
    since = performance.now();
    const link = chord && document.querySelector(`.pages a[data-keys="${CSS.escape(chord)}"]`);
    const kill = document.getElementById("kill");
    if (link) link.click();
    else if (event.key === "/") document.getElementById("search").focus();
    else if (event.key === "?" && help) help.showModal();
    else if (event.key === "k" && kill) kill.showModal();
    else return;
    event.preventDefault();
  });
}

function theme() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen) root.dataset.theme = chosen;
  } catch (_) {
    return;
  }
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}

theme();
keys();
if (document.getElementById("strip")) live();
