// The kill: asked of the small process that does nothing else, and of the web process when that one does not answer.
"use strict";

(() => {
  const PATIENCE_MS = 4000;
  const dialog = document.getElementById("kill");
  const form = document.getElementById("kill-form");
  if (!dialog || !form) return;
  const part = (id) => document.getElementById(id);

  function chosen() {
    const scope = part("kill-scope").value;
    return { scope, name: scope === "global" ? "" : part("kill-name").value.trim() };
  }

  function show() {
    const { scope, name } = chosen();
    part("kill-name-label").hidden = scope === "global";
    part("kill-name").required = scope !== "global";
    part("kill-what").textContent = scope === "global" ? "everything" : `${scope} ${name}`;
  }

  function reset() {
    form.hidden = false;
    part("kill-told").hidden = true;
    part("kill-yes").disabled = false;
    part("kill-scope").value = "global";
    part("kill-name").value = "";
    part("kill-why").value = "";
    show();
  }

  function open(event) {
    if (event) event.preventDefault();
    if (!dialog.open) dialog.showModal();
  }

  async function post(url, body, headers) {
    const answer = await fetch(url, { method: "POST", body, headers, credentials: url.startsWith("http") ? "omit" : "same-origin",
      signal: AbortSignal.timeout(PATIENCE_MS) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(`${told.detail} (${told.reason_code})`);
    return told;
  }

  // A text/plain body is a simple request: the browser sends it at once, without asking first whether it may.
  function endpoint(what) {
    return post(dialog.dataset.url, JSON.stringify({ token: dialog.dataset.token, ...what }), { "Content-Type": "text/plain" });
  }

  function web(what) {
    const csrf = form.querySelector("[name=csrfmiddlewaretoken]").value;
    return post(form.getAttribute("action"), new URLSearchParams(what), { Accept: "application/json", "X-CSRFToken": csrf });
  }

  function tell(told, what) {
    const scope = what.scope === "global" ? "everything" : `${what.scope} ${what.name}`;
    part("kill-head").textContent = `Killed: ${scope}`;
    const words = [told.fence ? `The fence was NOT written: ${told.fence}.` : `Fence written in ${told.fence_ms.toFixed(1)} ms.`];
    if (told.in_seq) words.push(`The loop took it in as input ${told.in_seq.toLocaleString("en")} after ${Math.round(told.input_ms)} ms.`);
    else if (told.recorded) words.push("Recorded; the loop has not told its input yet.");
    else words.push("The database is away: the fence holds, and the record follows by itself.");
    if (told.orders !== null && told.orders !== undefined) words.push(`Orders being pulled: ${told.orders}.`);
    part("kill-words").textContent = words.join(" ");
    part("kill-key").value = told.key;
    form.hidden = true;
    part("kill-told").hidden = false;
    part("kill-why").focus();
  }

  async function kill(event) {
    event.preventDefault();
    const what = chosen();
    part("kill-yes").disabled = true;
    part("kill-what").textContent = "…";
    const failed = [];
    for (const way of dialog.dataset.url ? [endpoint, web] : [web]) {
      try {
        tell(await way(what), what);
        return;
      } catch (error) {
        failed.push(String(error.message || error));
      }
    }
    part("kill-head").textContent = "NOT killed from here";
    part("kill-words").textContent = `${failed.join("; ")}. On the machine: polytraders kill`;
    form.hidden = false;
    part("kill-yes").disabled = false;
    part("kill-told").hidden = false;
    show();
  }

  form.addEventListener("submit", kill);
  part("kill-scope").addEventListener("change", () => { show(); if (!part("kill-name-label").hidden) part("kill-name").focus(); });
  part("kill-name").addEventListener("input", show);
  part("kill-no").addEventListener("click", () => dialog.close());
  part("kill-close").addEventListener("click", () => dialog.close());
  part("kill-open").addEventListener("click", open);
  dialog.addEventListener("close", reset);
  reset();
})();
