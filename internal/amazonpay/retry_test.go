package amazonpay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sent is one attempt as the server saw it.
type sent struct {
	after          time.Duration // since the last one
	date           string
	idempotencyKey string
	body           string
}

// record notes the attempts that reach h.
func record(attempts *[]sent, h host) host {
	last := time.Now()
	return func(r *http.Request) (*http.Response, error) {
		s := sent{after: time.Since(last), date: r.Header.Get("x-amz-pay-date"), idempotencyKey: r.Header.Get("x-amz-pay-idempotency-key")}
		last = time.Now()
		if r.Body != nil {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			s.body = string(b)
		}
		*attempts = append(*attempts, s)
		return h(r)
	}
}

func defaultRetry(c *Config) { c.Retry = nil }

func TestTemporaryFailuresAreTriedAgainThreeTimes(t *testing.T) {
	for name, h := range map[string]host{
		"408":     func(*http.Request) (*http.Response, error) { return answer(408, ""), nil },
		"425":     func(*http.Request) (*http.Response, error) { return answer(425, ""), nil },
		"429":     func(*http.Request) (*http.Response, error) { return refusal(429, "TooManyRequests"), nil },
		"500":     func(*http.Request) (*http.Response, error) { return refusal(500, "InternalServerError"), nil },
		"503":     func(*http.Request) (*http.Response, error) { return answer(503, "<html>"), nil },
		"closed":  func(*http.Request) (*http.Response, error) { return nil, io.EOF },
		"stalled": func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var attempts []sent
				c := newClient(t, defaultRetry, record(&attempts, h))
				_, err := c.GetChargePermission(t.Context(), permissionID)
				if !Temporary(err) || len(attempts) != 4 {
					t.Errorf("%d attempts, then %v", len(attempts), err)
				}
			})
		})
	}
}

func TestFinalAnswersAreNotTriedAgain(t *testing.T) {
	for _, status := range []int{200, 302, 400, 401, 403, 404, 409, 422, 426} {
		var attempts []sent
		c := newClient(t, defaultRetry, record(&attempts, func(*http.Request) (*http.Response, error) { return answer(status, "{}"), nil }))
		if _, err := c.GetChargePermission(t.Context(), permissionID); err == nil || len(attempts) != 1 {
			t.Errorf("%d: %d attempts, then %v", status, len(attempts), err)
		}
	}
}

func TestEachAttemptIsSignedAnewUnderOneIdempotencyKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []sent
		c := newClient(t, func(c *Config) {
			c.Retry = func(n int, _ error) time.Duration { return time.Duration(n) * time.Second }
		},
			record(&attempts, func(r *http.Request) (*http.Response, error) {
				checkAuthorization(t, r, "{}", 32)
				if len(attempts) < 3 {
					return answer(500, ""), nil
				}
				return answer(200, session), nil
			}))
		if _, err := c.CompleteCheckoutSession(t.Context(), sessionID, "one-key"); err != nil {
			t.Fatal(err)
		}
		want := []sent{ // the bubble's clock starts here
			{0, "20000101T000000Z", "one-key", "{}"},
			{time.Second, "20000101T000001Z", "one-key", "{}"},
			{2 * time.Second, "20000101T000003Z", "one-key", "{}"},
		}
		if !slices.Equal(attempts, want) {
			t.Errorf("got  %+v\nwant %+v", attempts, want)
		}
	})
}

func TestWaitsHaveFullJitterAndHonourRetryAfter(t *testing.T) {
	for name, tt := range map[string]struct {
		random     byte // repeated
		retryAfter string
		want       []time.Duration
	}{
		"least":           {0, "", []time.Duration{0, 0, 0}},
		"Amazon's wishes": {0, "5", []time.Duration{5 * time.Second, 5 * time.Second, 5 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var attempts []sent
				c := newClient(t, func(c *Config) { c.Retry, c.Rand = nil, repeat(tt.random) }, record(&attempts, func(*http.Request) (*http.Response, error) {
					a := answer(429, "")
					a.Header.Set("Retry-After", tt.retryAfter)
					return a, nil
				}))
				if _, err := c.GetChargePermission(t.Context(), permissionID); err == nil {
					t.Fatal("no error")
				}
				for i, want := range tt.want {
					if got := attempts[i+1].after; got != want {
						t.Errorf("wait %d is %v, want %v", i+1, got, want)
					}
				}
			})
		})
	}
}

func TestJitterCoversTheWholeRange(t *testing.T) {
	const most = 4 * time.Second
	for _, tt := range []struct {
		random []byte
		want   time.Duration
	}{
		{[]byte{0, 0, 0, 0, 0, 0, 0, 0}, 0},
		{[]byte{0, 0, 0, 0, 0xee, 0x6b, 0x28, 0x00}, most},
		{[]byte{0, 0, 0, 0, 0xee, 0x6b, 0x28, 0x01}, 0},
		{nil, most}, // no randomness: the longest wait
	} {
		if got := (backoff{bytes.NewReader(tt.random)}).jitter(most); got != tt.want {
			t.Errorf("%x: %v, want %v", tt.random, got, tt.want)
		}
	}
}

type repeat byte

func (r repeat) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r)
	}
	return len(b), nil
}

func TestNoRetryMakesOneAttempt(t *testing.T) {
	var attempts []sent
	c := newClient(t, nil, record(&attempts, func(*http.Request) (*http.Response, error) { return answer(503, ""), nil }))
	if _, err := c.GetChargePermission(t.Context(), permissionID); !Temporary(err) || len(attempts) != 1 {
		t.Errorf("%d attempts, then %v", len(attempts), err)
	}
}

// What the server said last is worth more than that the deadline would pass.
func TestWaitBeyondTheDeadlineGivesUpAtOnceWithTheLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var attempts []sent
		c := newClient(t, func(c *Config) { c.Retry, c.Rand = nil, repeat(0) }, record(&attempts, func(*http.Request) (*http.Response, error) {
			a := refusal(429, "TooManyRequests")
			a.Header.Set("Retry-After", "10")
			return a, nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		_, err := c.GetChargePermission(ctx, permissionID)
		if after, ok := Throttled(err); !ok || after != 10*time.Second {
			t.Error(err)
		}
		if took := time.Since(start); took != 10*time.Second || len(attempts) != 2 {
			t.Errorf("%d attempts in %v", len(attempts), took)
		}
	})
}

func TestContextEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		c := newClient(t, func(c *Config) { c.Retry = func(int, error) time.Duration { return time.Hour } },
			func(*http.Request) (*http.Response, error) { return refusal(429, "TooManyRequests"), nil })
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		_, err := c.GetChargePermission(ctx, permissionID)
		if _, ok := Throttled(err); !ok || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestContextAndTimeoutEndAnAttempt(t *testing.T) {
	stalled := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	stalledBody := func(r *http.Request) (*http.Response, error) {
		a := answer(200, "")
		a.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
			<-r.Context().Done()
			return 0, r.Context().Err()
		}))
		return a, nil
	}
	for name, tt := range map[string]struct {
		timeout, deadline, want time.Duration
		host                    host
	}{
		"default time-out":        {0, time.Hour, 8 * time.Second, stalled},
		"time-out":                {time.Second, time.Hour, time.Second, stalled},
		"deadline":                {0, 3 * time.Second, 3 * time.Second, stalled},
		"time-out in the body":    {time.Second, time.Hour, time.Second, stalledBody},
		"deadline in the body":    {0, 3 * time.Second, 3 * time.Second, stalledBody},
		"deadline passed already": {0, -1, 0, stalled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				c := newClient(t, func(c *Config) { c.AttemptTimeout = tt.timeout }, tt.host)
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				_, err := c.GetChargePermission(ctx, permissionID)
				if !Temporary(err) || !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "timed out") {
					t.Error(err)
				}
				if took := time.Since(start); took != tt.want {
					t.Errorf("took %v, want %v", took, tt.want)
				}
			})
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestCancelledCallIsNotTriedAgain(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var attempts []sent
	c := newClient(t, func(c *Config) {
		c.Retry = func(int, error) time.Duration {
			t.Error("Retry was asked")
			return 0
		}
	}, record(&attempts, func(*http.Request) (*http.Response, error) {
		cancel()
		return nil, ctx.Err()
	}))
	_, err := c.GetChargePermission(ctx, permissionID)
	if !errors.Is(err, context.Canceled) || !Temporary(err) || len(attempts) != 1 {
		t.Errorf("%d attempts, then %v", len(attempts), err)
	}
}
