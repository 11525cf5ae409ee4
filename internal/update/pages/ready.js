// Opens Amazon Pay with exactly what the server signed, and tells the buyer
// when that does not work.
(() => {
  "use strict";
  const patience = 8000; // ms until a page that is still here counts as stuck
  const checkout = JSON.parse(document.getElementById("checkout").textContent);
  const go = document.getElementById("go");
  const reload = document.getElementById("reload");
  const progress = document.getElementById("progress");
  const trouble = document.getElementById("trouble");
  let loading = null;
  let stuck = 0;

  // load gets Amazon's script, again if it could not be had before.
  function load() {
    if (!loading) {
      loading = new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = checkout.scriptUrl;
        script.async = true;
        script.onload = () => (window.amazon && window.amazon.Pay ? resolve() : reject());
        script.onerror = () => reject();
        setTimeout(reject, patience);
        document.head.append(script);
      });
      loading.catch(() => { loading = null; });
    }
    return loading;
  }

  function busy(on) {
    go.setAttribute("aria-disabled", String(on));
    progress.textContent = on ? progress.dataset.opening : "";
    clearTimeout(stuck);
  }

  function fail(why) {
    busy(false);
    trouble.textContent = trouble.dataset[why];
    go.textContent = go.dataset.again;
    reload.hidden = false;
  }

  // It throws strings, for what is missing or foreign to the region's script.
  function refused(reason) {
    console.error("amazon.Pay.initCheckout:", reason);
    fail("refused");
  }

  function open() {
    stuck = setTimeout(fail, patience, "stuck");
    try {
      Promise.resolve(window.amazon.Pay.initCheckout({
        merchantId: checkout.merchantId,
        ledgerCurrency: checkout.ledgerCurrency,
        sandbox: checkout.sandbox,
        checkoutLanguage: checkout.checkoutLanguage,
        productType: checkout.productType,
        placement: checkout.placement,
        createCheckoutSessionConfig: {
          payloadJSON: checkout.payloadJSON,
          signature: checkout.signature,
          publicKeyId: checkout.publicKeyId,
          algorithm: checkout.algorithm,
        },
      })).catch(refused);
    } catch (reason) {
      refused(reason);
    }
  }

  go.addEventListener("click", () => {
    if (go.getAttribute("aria-disabled") === "true") return;
    busy(true);
    trouble.textContent = "";
    reload.hidden = true;
    load().then(open, () => fail("blocked"));
  });
  // The policy has stopped Amazon's form: nothing more will come.
  document.addEventListener("securitypolicyviolation", (e) => {
    if (e.effectiveDirective === "form-action") refused(e.blockedURI);
  });
  // Back to a page that the browser had kept, no-store or not: the server knows
  // what has happened since, such as that the update is completed.
  window.addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
  window.addEventListener("pagehide", () => clearTimeout(stuck));

  go.hidden = false;
  load().catch(() => fail("blocked"));
})();
