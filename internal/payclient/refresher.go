package payclient

import (
	"context"
	mathrand "math/rand/v2"

	"github.com/google/uuid"

	"walletsync/internal/config"
	"walletsync/internal/refresh"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Refresher returns the runner for a function that waits for the result of a refresh.
func Refresher(c config.Refreshing, accounts []config.Account, clients *Clients, store refresh.Store, waker refresh.Waker, metrics *telemetry.Metrics) *refresh.Runner {
	settings := refresh.Defaults()
	settings.Margin, settings.Timeout, settings.Lease = c.Margin, c.APITimeout, c.Lease
	return &refresh.Runner{
		Store: store, Waker: waker, Settings: settings, Metrics: metrics,
		API:      func(_ context.Context, a wallet.AccountID) (refresh.API, error) { return clients.Client(a) },
		Follow:   config.Followed(accounts),
		NewLease: uuid.New,
		Jitter:   mathrand.Float64,
	}
}
