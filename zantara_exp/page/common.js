"use strict";
// What all pages have in common: asking the server, a remembered name, keys.
const at = id => document.getElementById(id);

// {ok, body} of a GET, or of a POST where there is something to send; a body that tells no more has an error.
async function ask(path, header, sent) {
  const how = sent === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json", [header]: "1" }, body: JSON.stringify(sent) };
  const reply = await fetch(path, how).catch(() => null);
  const body = reply && await reply.json().catch(() => null);
  return reply && body ? { ok: reply.ok, body } : { ok: false, body: { error: "the page is no longer served; start it again and reload." } };
}

// The form with a name: filled in as last time, and handed over.
function named(start) {
  try { at("name").value = localStorage.getItem("name") || ""; } catch { /* a browser that keeps nothing */ }
  at("start").addEventListener("submit", async event => {
    event.preventDefault();
    const name = at("name").value.trim(), trouble = await start(name);
    at("problem").textContent = trouble || "";
    if (trouble) return;
    try { localStorage.setItem("name", name); } catch { /* likewise */ }
    at("start").hidden = true; at("bar").hidden = false;
  });
}

// `act` gets a key's name, in small letters, and says whether it meant something; Escape leaves a field.
function keys(act) {
  const typing = "textarea, input, select";
  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && event.target.matches(typing)) { event.target.blur(); return; }
    if (at("bar").hidden || event.target.matches(typing) || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (act(event.key.length === 1 ? event.key.toLowerCase() : event.key)) event.preventDefault();
  });
}

function keyed(button, key) {
  const shown = document.createElement("kbd");
  shown.textContent = key; button.append(shown);
}
