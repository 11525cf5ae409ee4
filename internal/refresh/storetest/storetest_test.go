package storetest_test

import (
	"context"
	"testing"

	"walletsync/internal/refresh/storetest"
)

func model(_ testing.TB, clock *storetest.Clock) storetest.Subject {
	m := storetest.NewModel(clock.Now, storetest.Accounts()...)
	return storetest.Subject{Store: m, Snapshot: func(context.Context) (storetest.State, error) { return m.Snapshot(), nil }}
}

func TestScenarios(t *testing.T) { storetest.Scenarios(t, "testdata", model) }
