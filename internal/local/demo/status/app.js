// Replaces each row that changed with what the server sends, keeps the focus,
// and sends the buttons' presses.
const live = document.getElementById("live");
const rows = document.getElementById("rows");

function replaceRow(id, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const next = template.content.firstElementChild;
  const now = document.getElementById(id);
  if (!now) {
    rows.append(next);
    return;
  }
  const focused = now.contains(document.activeElement) ? document.activeElement.dataset.do : null;
  if (now.outerHTML === next.outerHTML) return;
  next.classList.add("changed");
  now.replaceWith(next);
  if (focused) next.querySelector(`[data-do="${focused}"]`)?.focus();
}

function replaceVitals(vitals) {
  document.getElementById("vitals").replaceChildren(...vitals.map(({ name, value, bad }) => {
    const pair = document.createElement("div");
    if (bad) pair.className = "bad";
    const dt = document.createElement("dt");
    dt.textContent = name;
    const dd = document.createElement("dd");
    dd.textContent = value;
    pair.append(dt, dd);
    return pair;
  }));
}

const events = new EventSource("/events");
events.onopen = () => { live.textContent = "live"; live.className = "good"; };
events.onerror = () => { live.textContent = "connection lost, trying again …"; live.className = "bad"; };
events.addEventListener("row", (e) => { const { key, body } = JSON.parse(e.data); replaceRow(key, body); });
events.addEventListener("vitals", (e) => replaceVitals(JSON.parse(JSON.parse(e.data).body)));

rows.addEventListener("click", async (e) => {
  const button = e.target.closest("button[data-do]");
  if (!button) return;
  const article = button.closest("article");
  const refused = article.querySelector(".refused");
  refused.textContent = "";
  try {
    const answer = await fetch(`/charge-permissions/${article.id}/${button.dataset.do}`, { method: "POST" });
    if (!answer.ok) refused.textContent = await answer.text();
  } catch {
    refused.textContent = "The stack does not answer. Is make run still running?";
  }
});
