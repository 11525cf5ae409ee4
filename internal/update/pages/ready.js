// Opens Amazon Pay with exactly the payload that the server signed, and shows the
// buyer a message if that fails.
(() => {
  "use strict";
  const timeout = 8000; // ms; after this, a page that has not left counts as stuck
  const checkout = JSON.parse(document.getElementById("checkout").textContent);
  const go = document.getElementById("go");
  const reload = document.getElementById("reload");
  const progress = document.getElementById("progress");
  const trouble = document.getElementById("trouble");
  let loading = null;
  let stuck = 0;

  // load loads Amazon's script. If an earlier load failed, it tries again.
  function load() {
    if (!loading) {
      loading = new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = checkout.scriptUrl;
        script.async = true;
        script.onload = () => (window.amazon && window.amazon.Pay ? resolve() : reject());
        script.onerror = () => reject();
        setTimeout(reject, timeout);
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
    go.textContent = go.dataset.retry;
    reload.hidden = false;
  }

  // Amazon's script throws strings: for values that are missing, or that belong to
  // another region.
  function refused(reason) {
    console.error("amazon.Pay.initCheckout:", reason);
    fail("refused");
  }

  function open() {
    stuck = setTimeout(fail, timeout, "stuck");
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
  // The content security policy blocked Amazon's form, so Amazon Pay will not open.
  document.addEventListener("securitypolicyviolation", (e) => {
    if (e.effectiveDirective === "form-action") refused(e.blockedURI);
  });
  // The browser restored this page from its cache, which it may do in spite of
  // no-store. Reload it: the update may have been completed since.
  window.addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
  window.addEventListener("pagehide", () => clearTimeout(stuck));

  go.hidden = false;
  load().catch(() => fail("blocked"));
})();
