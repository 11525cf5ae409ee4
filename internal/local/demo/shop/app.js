// Replaces what is known of a buyer when the database has something new.
const events = new EventSource(document.currentScript.dataset.events);
events.addEventListener("buyer", (e) => {
  const { key: id, body: html } = JSON.parse(e.data);
  const template = document.createElement("template");
  template.innerHTML = html;
  const next = template.content.firstElementChild;
  const now = document.getElementById(id)?.querySelector(".what");
  if (!now || now.outerHTML === next.outerHTML) return;
  next.classList.add("changed");
  now.replaceWith(next);
});
