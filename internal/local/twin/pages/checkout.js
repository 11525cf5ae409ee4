// The twin's checkout.js: amazon.Pay as the script of a region has it. It
// throws strings, synchronously, and leaves the page by a posted form. The
// server calls this function with what it knows of the region.
(function (region) {
  "use strict";
  const own = new URL(document.currentScript.src).origin;

  function oneOf(name, value, all) {
    if (!all.includes(value)) throw `${name} '${value}' is not supported by the script of this region: ${all.join(", ")}`;
  }

  function required(config, names, where) {
    for (const name of names) {
      if (config[name] === undefined || config[name] === null || config[name] === "") throw `${where}${name} is a required parameter`;
    }
  }

  function check(config) {
    if (typeof config !== "object" || config === null) throw "a configuration is required";
    required(config, ["merchantId", "ledgerCurrency", "placement", "createCheckoutSessionConfig"], "");
    required(config.createCheckoutSessionConfig, ["payloadJSON", "signature", "publicKeyId"], "createCheckoutSessionConfig.");
    oneOf("placement", config.placement, ["Home", "Product", "Cart", "Checkout", "Other"]);
    oneOf("ledgerCurrency", config.ledgerCurrency, region.currencies);
    if (config.checkoutLanguage) oneOf("checkoutLanguage", config.checkoutLanguage, region.languages);
    if (config.productType) oneOf("productType", config.productType, ["PayAndShip", "PayOnly"]);
    const session = config.createCheckoutSessionConfig;
    if (session.algorithm) oneOf("createCheckoutSessionConfig.algorithm", session.algorithm, ["AMZN-PAY-RSASSA-PSS", "AMZN-PAY-RSASSA-PSS-V2"]);
    // An object is as good as its JSON, as far as the signature is over that.
    const payload = typeof session.payloadJSON === "string" ? session.payloadJSON : JSON.stringify(session.payloadJSON);
    return {
      merchantId: config.merchantId,
      ledgerCurrency: config.ledgerCurrency,
      sandbox: config.sandbox === true ? "true" : "false",
      checkoutLanguage: config.checkoutLanguage || "",
      productType: config.productType || "PayAndShip",
      placement: config.placement,
      payloadJSON: payload,
      signature: session.signature,
      publicKeyId: session.publicKeyId,
      algorithm: session.algorithm || "AMZN-PAY-RSASSA-PSS",
      origin: window.location.origin,
    };
  }

  // Amazon's script posts to the checkout host of the currency and language;
  // one from the twin's own listener posts back there.
  function checkoutHost(fields) {
    if (region.scriptHost !== new URL(own).host) return own;
    const hosts = region.checkoutHosts;
    return "https://" + (hosts[fields.ledgerCurrency] || hosts[fields.checkoutLanguage] || hosts[""]);
  }

  function leave(fields) {
    const form = document.createElement("form");
    form.method = "post";
    form.action = checkoutHost(fields) + "/checkout/initiate";
    form.hidden = true;
    for (const [name, value] of Object.entries(fields)) {
      const field = document.createElement("textarea"); // an input would lose line feeds
      field.name = name;
      field.value = value;
      form.append(field);
    }
    document.body.append(form);
    form.submit();
  }

  function initCheckout(config) {
    if (region.fault === "throws") throw "a fault that was asked for";
    const fields = check(config);
    if (region.fault !== "nothing") leave(fields);
  }

  // renderButton draws a plain button that does on a click what initCheckout
  // does; the button's own looks (buttonColor, design) are not modelled.
  function renderButton(selector, config) {
    const place = document.querySelector(selector);
    if (!place) throw `there is no element ${selector}`;
    if (region.fault === "throws") throw "a fault that was asked for";
    if (config.createCheckoutSessionConfig) check(config);
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Amazon Pay (local twin)";
    button.addEventListener("click", () => { if (config.createCheckoutSessionConfig) initCheckout(config); });
    place.replaceChildren(button);
    return {
      onClick: (f) => button.addEventListener("click", f),
      initCheckout: (session) => initCheckout({ ...config, ...session }),
    };
  }

  window.amazon = window.amazon || {};
  window.amazon.Pay = { initCheckout, renderButton };
})
