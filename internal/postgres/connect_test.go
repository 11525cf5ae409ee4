package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/postgres"
	"walletsync/internal/telemetry"
)

// nowhere is a port of this machine that nobody listens at.
const nowhere = "postgres://shop@127.0.0.1:1/walletsync?sslmode=disable"

func TestConnectionThatCannotBeHadIsCounted(t *testing.T) {
	var out bytes.Buffer
	m := telemetry.NewMetrics(&out, "test", time.Now)
	store := postgres.New(postgres.URL(nowhere), postgres.Options{Metrics: m})
	defer store.Close()
	if _, err := store.Unpushed(t.Context(), 1); err == nil {
		t.Fatal("no error")
	}
	m.Flush()
	if !strings.Contains(out.String(), `"ConnectionsFailed":1`) {
		t.Errorf("it is not in %q", out.String())
	}
}

func TestEachConnectionIsMadeAsBeforeConnectSays(t *testing.T) {
	refused := errors.New("no token")
	store := postgres.New(postgres.URL(nowhere), postgres.Options{BeforeConnect: func(_ context.Context, c *pgx.ConnConfig) error {
		if c.User != "shop" || c.Password != "" {
			t.Errorf("it is told of user %q with password %q", c.User, c.Password)
		}
		return refused
	}})
	defer store.Close()
	if _, err := store.Unpushed(t.Context(), 1); !errors.Is(err, refused) {
		t.Errorf("%v, want %v", err, refused)
	}
}
