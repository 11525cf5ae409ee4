// What a merchant's own button does: it gives the answer of update-start to
// Amazon's script, which throws strings.
const { scriptUrl, payloadJSON, signature, publicKeyId, algorithm, ...checkout } = JSON.parse(document.getElementById("checkout").textContent);
const problem = document.getElementById("problem");
const button = document.getElementById("own");

button.addEventListener("click", () => {
  problem.hidden = true;
  try {
    amazon.Pay.initCheckout({ ...checkout, createCheckoutSessionConfig: { payloadJSON, signature, publicKeyId, algorithm } });
  } catch (why) {
    problem.textContent = typeof amazon === "undefined" ? "Amazon’s script could not be loaded. Please try again." : `Amazon’s script refused: ${why}`;
    problem.hidden = false;
  }
});
button.disabled = false; // a press before this would do nothing
