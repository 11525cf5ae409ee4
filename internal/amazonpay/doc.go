// Package amazonpay is a client of the Amazon Pay API, version 2: it signs and
// makes the calls that follow a buyer's wallet (Get Charge Permission, Get and
// Complete Checkout Session), and signs the payload of an Amazon Pay button.
//
//	key, err := amazonpay.ParsePrivateKey(pem)
//	…
//	client, err := amazonpay.New(amazonpay.Config{
//		Region:      amazonpay.EU,
//		Environment: amazonpay.Sandbox,
//		PublicKeyID: "SANDBOX-AFVX7ULWSGBZ5535PCUQOY7B",
//		PrivateKey:  key,
//	})
//	…
//	permission, err := client.GetChargePermission(ctx, "B01-0000000-0000000")
//	if wait, ok := amazonpay.Throttled(err); ok {
//		…
//	}
//
// A call that fails says why by its error; [NotFound], [Throttled],
// [Misconfigured] and [Temporary] answer what callers ask of it, and
// [errors.As] with an [*Error] gives all that Amazon said. Failed attempts are
// tried again as Config.Retry decides. Errors name ids, statuses and Amazon's
// own reason code and message, never anything else of a response, so they are
// fit for logs.
//
// What Amazon returns is kept whole: fields that this package does not know
// are in Raw. A null member and an absent one mean the same to Amazon, so both
// are the zero value here.
//
// It never follows redirects, never reads a response without bound, and holds
// no global state. A Client may be used by many goroutines at once.
//
// The facts are those of the Amazon Pay API documentation ("Amazon Pay API
// v2": Signing requests, Endpoints, Error handling, Idempotency, Charge
// Permission, Checkout Session) and of Amazon's official SDKs.
package amazonpay
