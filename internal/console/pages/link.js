// Copies the link. Without it the field holds the link to select by hand.
(() => {
  "use strict";
  const link = document.getElementById("link");
  const copy = document.getElementById("copy");
  const said = document.getElementById("copied");
  if (!navigator.clipboard) return;
  copy.hidden = false;
  copy.addEventListener("click", () => {
    navigator.clipboard.writeText(link.value).then(
      () => { said.textContent = said.dataset.done; },
      () => { link.focus(); link.select(); said.textContent = said.dataset.byHand; },
    );
  });
})();
