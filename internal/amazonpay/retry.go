package amazonpay

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// NoRetry is a Config.Retry that makes one attempt only.
func NoRetry(int, error) time.Duration { return -1 }

// The default policy: as many retries as Amazon's SDKs make, at most as long
// waits.
const (
	maxRetries = 3
	firstWait  = time.Second
)

// backoff is the default Config.Retry.
type backoff struct{ rand io.Reader }

func (b backoff) retry(n int, err error) time.Duration {
	if n > maxRetries || !Temporary(err) {
		return -1
	}
	var asked time.Duration
	if e, ok := errors.AsType[*Error](err); ok {
		asked = e.RetryAfter
	}
	return asked + b.jitter(firstWait<<(n-1))
}

// jitter returns a random time of up to most, so that clients that failed
// together do not come back together.
func (b backoff) jitter(most time.Duration) time.Duration {
	var random [8]byte
	if _, err := io.ReadFull(b.rand, random[:]); err != nil {
		return most
	}
	return time.Duration(binary.BigEndian.Uint64(random[:]) % uint64(most+1))
}

// sleep waits for d and reports whether it did: not if the context ends first,
// or is going to.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
