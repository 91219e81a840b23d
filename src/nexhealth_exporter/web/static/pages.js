// The pages work without this. With it they keep themselves fresh, filter while typing,
// and copy what is ready to be pasted. The server renders everything; this only swaps it in.
"use strict";

const REFRESH_MS = 15000;
const TYPING_MS = 250;
let latest = 0;

async function swap(address) {
  const turn = ++latest;
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (turn !== latest) return; // a later request has overtaken this one
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const old = document.querySelector(`[data-live="${fresh.dataset.live}"]`);
    if (old && !holdsAttention(old)) old.replaceWith(following(old, fresh));
  }
  document.title = page.title;
  addCopyButtons();
}

// What somebody reads, selects or has reached by keyboard must not move away.
function holdsAttention(part) {
  const selection = document.getSelection();
  const selected = selection && !selection.isCollapsed && selection.containsNode(part, true);
  return selected || part.contains(document.activeElement);
}

// What was open stays open, and a screen reader announces nothing twice.
function following(old, fresh) {
  const before = old.querySelectorAll("details");
  fresh.querySelectorAll("details").forEach((details, index) => {
    if (before[index]) details.open = before[index].open;
  });
  for (const said of fresh.querySelectorAll("[role=alert], [role=status]"))
    if (old.textContent.includes(said.textContent)) said.removeAttribute("role");
  return fresh;
}

function filterWhileTyping(form) {
  let timer = 0;
  const show = () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
    const address = new URL(form.getAttribute("action"), location.href);
    address.search = query.toString();
    address.hash = "";
    history.replaceState(null, "", address);
    swap(address).catch(() => {});
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, TYPING_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    show();
  });
  form.querySelector("button[type=submit]").hidden = true;
}

function addCopyButtons() {
  if (!navigator.clipboard) return; // browsers give it to https and localhost only
  for (const figure of document.querySelectorAll(".ready:not(:has(button))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(figure.querySelector("code").textContent);
      button.textContent = "Copied";
    });
    figure.querySelector("figcaption").append(button);
  }
}

function keepFresh() {
  const label = document.createElement("label");
  label.className = "live";
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = sessionStorage.getItem("live") !== "off";
  box.addEventListener("change", () => sessionStorage.setItem("live", box.checked ? "on" : "off"));
  label.append(box, "Keep this page fresh");
  document.querySelector(".bottom p").append(label);
  setInterval(() => {
    if (box.checked && !document.hidden) swap(location.href).catch(() => {});
  }, REFRESH_MS);
}

const filters = document.querySelector("[data-filters]");
if (filters) filterWhileTyping(filters);
addCopyButtons();
if (document.querySelector("[data-live]:not([data-live=now])")) keepFresh();
