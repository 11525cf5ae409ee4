package update

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

// hanging is a refresher whose Amazon Pay never answers. It returns at its deadline.
type hanging struct{ took time.Duration }

func (h *hanging) Now(ctx context.Context, _ wallet.Want) (wallet.Refreshed, error) {
	began := time.Now()
	<-ctx.Done()
	h.took = time.Since(began)
	return wallet.Refreshed{Kind: "left"}, nil
}

// TestImmediateReadLeavesTimeToAnswer: each handler that reads a charge permission
// limits the read, and has time left for the answer.
func TestImmediateReadLeavesTimeToAnswer(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name         string
		budget, took time.Duration
		status       int
		ask          func(context.Context, *world) int
	}{
		{"start", 13 * s, 10 * s, http.StatusServiceUnavailable, starts},
		{"start, in a short function", 4 * s, 2 * s, http.StatusServiceUnavailable, starts},
		{"return", 26 * s, 8 * s, http.StatusOK, returns},
		{"return, in a short function", 4 * s, 2 * s, http.StatusOK, returns},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, reader := newWorld(), &hanging{}
				w.store.permissions = nil // never read
				w.start.Refresher, w.back.Refresher = reader, reader
				ctx, cancel := context.WithTimeout(w.logger.WithContext(t.Context()), c.budget)
				defer cancel()
				status := c.ask(ctx, w)
				if status != c.status || reader.took != c.took || ctx.Err() != nil {
					t.Errorf("%d after a read of %v, %v", status, reader.took, ctx.Err())
				}
			})
		})
	}
}

func starts(ctx context.Context, w *world) int {
	q := httptest.NewRequestWithContext(ctx, http.MethodPost, "/update-sessions", strings.NewReader(`{"chargePermissionId":"`+string(one)+`","update":"both"}`))
	q.Header.Set("Authorization", "Bearer the-current-key-1")
	got := httptest.NewRecorder()
	w.start.Handler().ServeHTTP(got, q)
	return got.Code
}

func returns(ctx context.Context, w *world) int {
	s := w.session(func(s *session.Session) {})
	token, err := w.back.Site.Tokens.Seal(ctx, State, s.ID, s.ExpiresAt)
	if err != nil {
		return 0
	}
	return w.get(ctx, "/return?t="+token+"&amazonCheckoutSessionId="+checkout).Code
}
