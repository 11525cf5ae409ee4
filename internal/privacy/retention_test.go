package privacy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"walletsync/internal/wallet"
)

const day = 24 * time.Hour

// kept is a store with erasures that are due, and an erasure log.
type kept struct {
	due      int
	departed int // due in an account that left the configuration
	asks     []string
	logs     int
	err      error
}

func (k *kept) ToErase(_ context.Context, a wallet.AccountID, kept time.Duration, limit int) (due []Permission, at time.Time, err error) {
	k.asks = append(k.asks, fmt.Sprint("due in ", a, " for ", kept, ", at most ", limit))
	for i := range k.due {
		due = append(due, Permission{Account: a, ID: wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", i))})
	}
	for i := range k.departed {
		due = append(due, Permission{Account: "departed", ID: wallet.ChargePermissionID(fmt.Sprintf("S02-0000000-%07d", i))})
	}
	return due, time.Unix(1, 0), k.err
}
func (k *kept) Erase(_ context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID, c wallet.Cause) error {
	k.asks = append(k.asks, fmt.Sprint("erase ", len(ids), " of ", a, " for ", c))
	return nil
}
func (k *kept) OfOnePerson(context.Context, wallet.AccountID, wallet.ChargePermissionID) ([]Permission, time.Time, error) {
	return nil, time.Time{}, nil
}
func (k *kept) Write(_ context.Context, all []Erasure) error {
	k.logs += len(all)
	return nil
}

func TestRetentionErasesWhatIsDue(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name  string
		store kept
		after time.Duration
		want  []string
	}{
		{"switched off", kept{due: 3}, 0, nil},
		{"nothing is due", kept{}, 30 * day, []string{"due in main for 720h0m0s, at most 500"}},
		{"some are due", kept{due: 3}, 30 * day, []string{"due in main for 720h0m0s, at most 500", "erase 3 of main for retention"}},
		{"some of an account that left, too", kept{due: 3, departed: 2}, 30 * day, []string{"due in main for 720h0m0s, at most 500", "erase 2 of departed for retention", "erase 3 of main for retention"}},
		{"the store fails", kept{due: 3, err: broken}, 30 * day, []string{"due in main for 720h0m0s, at most 500"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &c.store
			d := Retention{Store: s, Eraser: &Eraser{Store: s, Log: s}, After: c.after}
			if err := d.Do(t.Context(), "main"); !errors.Is(err, s.err) || !slices.Equal(s.asks, c.want) {
				t.Errorf("%v, %v", s.asks, err)
			}
			if erased := len(c.want) >= 2; erased != (s.logs == s.due+s.departed && s.due > 0) {
				t.Errorf("%d of %d are in the log", s.logs, s.due)
			}
		})
	}
}
