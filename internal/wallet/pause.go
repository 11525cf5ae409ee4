package wallet

import "time"

// MaxRefused is how many different ids in a row must be refused with 401 or 403,
// without a word of the key, before it is taken for the account's fault and its
// calls pause.
const MaxRefused = 3

// RefusedPause is how long they pause then: a list of another merchant's ids is
// no reason to hold the account's own back for long.
const RefusedPause = time.Minute

// OwnPause is how long an account's calls pause at least when one could not be
// made. A secret that could not be read is not read again sooner (package config).
const OwnPause = 10 * time.Second

// Why an account's calls pause, for the operator.
const (
	ReasonThrottled  = "Amazon Pay throttles"
	ReasonKeyRefused = "Amazon Pay refuses the account's key or signature"
	ReasonRefused    = "Amazon Pay refuses one id after the other with 401 or 403"
)

// RemedyRefused says what to do about a refusal of the key or of the account.
const RemedyRefused = "check the account's public key id, private key, algorithm, environment and region in the configuration and in Seller Central, and that the merchant account is active"

// CallOutcomes is what the outcomes of an account's calls of one kind say of its
// calls.
type CallOutcomes struct {
	Account  AccountID
	Call     Call
	Pause    *time.Duration // nil: none; zero: one that grows with each time
	Reason   string         // of the pause
	Refused  []string       // ids that were refused with 401 or 403
	Answered bool           // a call was answered
}
