// Follows a live view and a long action, and loads the lines of a record when it is unfolded. Every view works without this.
"use strict";

async function load(address) {
  const answer = await fetch(address, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(String(answer.status));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function notice(text) {
  let place = document.querySelector(".notice");
  if (!place) {
    place = document.createElement("p");
    place.className = "notice";
    place.setAttribute("role", "status");
    document.querySelector("main").append(place);
  }
  place.textContent = text;
}

document.addEventListener("toggle", async (event) => {
  const details = event.target;
  if (!details.open || !details.dataset.src || details.dataset.loaded) return;
  details.dataset.loaded = "yes";
  try {
    const found = await load(details.dataset.src);
    details.replaceChildren(details.querySelector("summary"), ...found.body.childNodes);
  } catch (error) {
    delete details.dataset.loaded; // the link inside leads there as well
  }
}, true);

function follow(main) {
  const stream = new EventSource(main.dataset.live);
  let waits = false, missed = false;
  const refresh = async () => {
    missed = waits;
    if (waits || document.querySelector("main details[data-loaded][open]") || main.contains(document.activeElement)) return;
    waits = true;
    const started = performance.now();
    try {
      const found = await load(location.href);
      main.replaceChildren(...found.querySelector("main").childNodes);
    } catch (error) {
      notice("The daemon does not answer. Reload, or type `clew page` again.");
    }
    // A view that costs the daemon much is asked for less often, so that hooks are answered in between.
    setTimeout(() => { waits = false; if (missed) refresh(); }, Math.min(60000, 9 * (performance.now() - started)));
  };
  stream.addEventListener("changed", refresh);
  stream.addEventListener("error", () => { if (stream.readyState === EventSource.CLOSED) notice("This page is no longer followed live. Type `clew page` again."); });
}

function followAction(place) {
  const stream = new EventSource(place.dataset.action);
  const bar = place.querySelector("progress"), words = place.querySelector("[role=status]");
  stream.addEventListener("step", (event) => {
    const told = JSON.parse(event.data);
    if (!told.total) return;
    bar.max = told.total;
    bar.value = told.done;
    words.textContent = `${told.done} of ${told.total}`;
  });
  stream.addEventListener("ended", () => { stream.close(); location.reload(); });
  stream.addEventListener("error", () => { if (stream.readyState === EventSource.CLOSED) words.textContent = "not followed any more: reload the page"; });
}

for (const place of document.querySelectorAll("[data-action]")) followAction(place);
const main = document.querySelector("main[data-live]");
if (main) follow(main);
