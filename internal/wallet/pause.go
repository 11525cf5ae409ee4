package wallet

import "time"

// MaxRefused is the number of different ids in a row that must be refused with 401
// or 403, without an error that names the key, before the account's calls pause.
const MaxRefused = 3

// RefusedPause is the length of that pause. It is short, because a list of another
// merchant's ids should not delay the account's own for long.
const RefusedPause = time.Minute

// OwnPause is the least pause of an account's calls after one could not be made.
// A secret that could not be read is not read again sooner (package config).
const OwnPause = 10 * time.Second

// The reasons of a pause, as the operator reads them.
const (
	ReasonThrottled  = "Amazon Pay throttles"
	ReasonKeyRefused = "Amazon Pay refuses the account's key or signature"
	ReasonRefused    = "Amazon Pay refuses one id after the other with 401 or 403"
)

// RemedyRefused is what to do if the key or the account is refused.
const RemedyRefused = "check the account's public key id, private key, algorithm, environment and region in the configuration and in Seller Central, and that the merchant account is active"

// CallOutcomes sums up an account's calls of one kind: whether they must pause,
// and whether the key works.
type CallOutcomes struct {
	Account  AccountID
	Call     Call
	Pause    *time.Duration // nil: none; zero: each pause in a row is longer than the one before
	Reason   string         // of the pause
	Refused  []string       // ids that were refused with 401 or 403
	Answered bool           // a call was answered
}
