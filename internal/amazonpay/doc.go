// Package amazonpay is walletsync's client of the Amazon Pay API, version 2: it
// signs and makes the calls that follow a buyer's wallet (Get Charge Permission,
// Get and Complete Checkout Session), and signs the payload of an Amazon Pay
// button. It imports nothing else of walletsync.
//
// A method makes one request. It never retries: the callers do, within the
// account's quota. ([net/http] itself repeats a request, unchanged, when the
// server closed a kept connection before it answered.)
//
// [NotFound], [Throttled], [Misconfigured], [KeyRefused], [ObjectRefused] and
// [Temporary] classify the error of a failed call; [errors.As] with an [*Error]
// gives the details of Amazon's response. Errors hold ids, statuses and Amazon's own reason code and message,
// never anything else of a response, so they are fit for logs.
//
// Members of a response are read one by one. One of an unexpected form is empty
// and named in Unreadable, and must not be taken for null. A null member and an
// absent one mean the same to Amazon, so both are the zero value here. Raw is
// the whole response, with the members that this package does not know.
//
// The client never follows redirects, never reads a response without bound, and
// holds no global state. A Client may be used by many goroutines at once.
//
// The facts are those of the Amazon Pay API documentation ("Amazon Pay API
// v2": Signing requests, Endpoints, Error handling, Idempotency, Charge
// Permission, Checkout Session) and of Amazon's official SDKs.
package amazonpay
