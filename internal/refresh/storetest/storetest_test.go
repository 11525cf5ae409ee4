package storetest_test

import (
	"context"
	"testing"
	"time"

	"walletsync/internal/refresh/storetest"
	"walletsync/internal/wallet"
)

func model(_ testing.TB, clock *storetest.Clock) storetest.Subject {
	m := storetest.NewModel(clock.Now, storetest.Accounts()...)
	return storetest.Subject{
		Store:    m,
		Snapshot: func(context.Context) (storetest.State, error) { return m.Snapshot(), nil },
		Follow: func(_ context.Context, a wallet.AccountID, f wallet.Followed) error {
			m.Follow(a, f)
			return nil
		},
		Completed: func(_ context.Context, a wallet.AccountID, id wallet.ChargePermissionID, at time.Time) error {
			m.Completed(a, id, at)
			return nil
		},
	}
}

func TestScenarios(t *testing.T) { storetest.Scenarios(t, "testdata", model) }
