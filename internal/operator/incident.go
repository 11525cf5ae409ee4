package operator

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"time"

	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// IncidentStore is what incident needs of the store.
type IncidentStore interface {
	// Inbox passes on the notifications that an account's worker recorded in a
	// period, in the order of their publication, until one is not taken.
	Inbox(ctx context.Context, account wallet.AccountID, since, until time.Time, each func(refresh.Recorded) error) error
}

// traced is a line of a trace, as the twin reads it.
type traced struct {
	After            string `json:"after"`
	Late             string `json:"late"`
	ChargePermission string `json:"chargePermission"`
	ObjectType       string `json:"objectType"`
	Object           string `json:"object"`
	Type             string `json:"type"`
	// For the reader; the twin passes over them.
	Waited  string `json:"waited"` // from the arrival to the processing
	Outcome string `json:"outcome"`
}

// Incident is the command that writes the notifications of a period as a trace
// which the local twin plays.
func Incident(connect Connect) Command {
	return Command{
		Name: "incident",
		Line: "Write the notifications of a period as a trace that the local twin plays",
		Help: `
JSON lines go to standard output: when each notification was published and how
late it came, of which object, and what it led to. Ids are replaced by numbers in
the order of their appearance, so a trace tells of no buyer and may be sent to
others. make run plays it: POST it to /trace of its control API.

Notifications that no inbox holds, lost ones and those in the queue or the
dead-letter queue, are not in it.`,
		Set: func(f *flag.FlagSet) func(context.Context, Terminal, []string) error {
			account := f.String("account", "", "the `account`; needed if there are several")
			since := f.String("since", "1h", "beginning of the period: a `time` such as 2026-11-24T09:30:00Z, or how long ago")
			until := f.String("until", "0s", "its end, in the same way")
			return func(ctx context.Context, t Terminal, args []string) error {
				if len(args) > 0 {
					return Misused("it takes no arguments")
				}
				from, err := moment(*since, t.Now())
				if err != nil {
					return Misused("--since: %w", err)
				}
				to, err := moment(*until, t.Now())
				if err != nil {
					return Misused("--until: %w", err)
				}
				if !from.Before(to) {
					return Misused("the period ends before it begins")
				}
				parts, err := connect(ctx)
				if err != nil {
					return err
				}
				of, err := parts.account(*account)
				if err != nil {
					return err
				}
				n, err := trace(ctx, t, parts.Store, of, from, to)
				if err == nil {
					fmt.Fprintf(t.Err, "%d notifications of account %s, from %s to %s\n", n, of, from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
				}
				return err
			}
		},
	}
}

// moment reads a time, or how long ago it was.
func moment(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%q is neither a time such as 2026-11-24T09:30:00Z nor a duration such as 90m", text)
	}
	return at, nil
}

// trace writes the trace, and returns how many notifications it has.
func trace(ctx context.Context, t Terminal, store IncidentStore, account wallet.AccountID, from, to time.Time) (n int, err error) {
	out := bufio.NewWriter(t.Out)
	lines := json.NewEncoder(out)
	permissions, objects := map[wallet.ChargePermissionID]string{}, map[string]string{}
	var first, last time.Time
	err = store.Inbox(ctx, account, from, to, func(r refresh.Recorded) error {
		if n == 0 {
			first, last = r.Published, r.Published
		}
		if last.Before(r.Published) {
			last = r.Published
		}
		id, known := permissions[r.ChargePermission]
		if !known {
			id = fmt.Sprintf("S01-%07d-%07d", (len(permissions)+1)/10_000_000, (len(permissions)+1)%10_000_000)
			permissions[r.ChargePermission] = id
		}
		object, known := objects[r.Object]
		switch {
		case r.Object == string(r.ChargePermission):
			object = id
		case !known:
			object = fmt.Sprintf("%s-X%06d", id, len(objects)+1)
			objects[r.Object] = object
		}
		n++
		return lines.Encode(traced{
			After: last.Sub(first).String(), Late: max(0, r.Arrived.Sub(r.Published)).Round(time.Millisecond).String(),
			ChargePermission: id, ObjectType: r.ObjectType, Object: object, Type: r.Type,
			Waited: max(0, r.Processed.Sub(r.Arrived)).Round(time.Millisecond).String(), Outcome: r.Outcome,
		})
	})
	if err == nil {
		err = out.Flush()
	}
	return n, err
}
