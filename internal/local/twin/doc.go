// Package twin is a faithful local twin of Amazon Pay: its API, which verifies
// every request's signature, throttles and remembers idempotency keys; its
// checkout script and hosted page; the buyers behind it; and Amazon's SNS, which
// signs notifications with its own certificate and retries them as SNS does. It
// is for laptops and tests.
//
// The twin shares no code with what it tests, only facts and vectors: it
// imports neither the project's Amazon Pay client nor its SNS verifier, and an
// official Amazon Pay SDK can talk to it. When it refuses a signature it says
// which line of the canonical request differs (see explain.go).
//
// The zero Options work: one sandbox account in the EU with a key pair of its
// own. Behaviours are fields of Options, Account and SNS; faults are chosen or
// seeded (see Faults), never ambient.
//
// Facts come from Amazon's documentation (developer.amazon.com/docs:
// amazon-pay-api-v2, amazon-pay-paymentmethodonfile), from the official SDKs
// for Node, PHP, Java and .NET, and from the SNS developer guide.
//
// The checkout side is what an update of a Saved Wallet needs: checkout.js, the
// form that it posts, the hosted page, and Get and Complete Checkout Session.
//
// Not modelled: checkout sessions of a first purchase and Create Checkout
// Session, the button's looks, signing in, charges and refunds (their
// notifications can be sent), every other call of the API, delegated
// authorisation, HTTP/2, TLS versions (426), subscriptions other than one
// endpoint a topic, SNS delivery policies other than the default's shape, and
// dead-letter queues of SNS.
package twin
