package rooms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"walletsync/internal/privacy"
	"walletsync/internal/wallet"
)

// store knows one person with two charge permissions, and notes what is done.
type store struct{ did []string }

func (s *store) OfOnePerson(context.Context, wallet.AccountID, wallet.ChargePermissionID) ([]privacy.Permission, time.Time, error) {
	return []privacy.Permission{{Account: "main", ID: "S01-0000000-0000001"}, {Account: "main", ID: "S01-0000000-0000002"}}, time.Unix(1, 0), nil
}

func (s *store) Erase(_ context.Context, _ wallet.AccountID, ids []wallet.ChargePermissionID, c wallet.Cause) error {
	s.did = append(s.did, fmt.Sprint("erase ", ids, " for ", c))
	return nil
}

func (s *store) Write(context.Context, []privacy.Erasure) error {
	s.did = append(s.did, "erasure log")
	return nil
}

func (s *store) ExportPerson(_ context.Context, _ wallet.AccountID, ids []wallet.ChargePermissionID) ([]byte, error) {
	s.did = append(s.did, fmt.Sprint("export ", ids))
	return []byte("{}"), nil
}

func TestExportAndErasureAreRecordedForEachChargePermissionFirst(t *testing.T) {
	const both = "[S01-0000000-0000001 S01-0000000-0000002]"
	for what, want := range map[string][]string{
		"export": {"record " + both, "export " + both},
		"erase":  {"record " + both, "erasure log", "erase " + both + " for erasure"},
	} {
		for _, broken := range []error{nil, errors.New("broken")} {
			s := &store{}
			p := People{Eraser: &privacy.Eraser{Store: s, Log: s}, Store: s}
			record := func(ids []wallet.ChargePermissionID) error {
				s.did = append(s.did, fmt.Sprint("record ", ids))
				return broken
			}
			var err error
			if what == "export" {
				_, err = p.Export(t.Context(), "main", "S01-0000000-0000001", record)
			} else {
				err = p.Erase(t.Context(), "main", "S01-0000000-0000001", record)
			}
			expected := want
			if broken != nil {
				expected = want[:1]
			}
			if !errors.Is(err, broken) || !slices.Equal(s.did, expected) {
				t.Errorf("%s: %v, %q", what, err, s.did)
			}
		}
	}
}
