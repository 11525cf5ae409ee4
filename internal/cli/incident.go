package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// Inbox is where the worker records notifications.
type Inbox interface {
	// Inbox passes on an account's notifications of a period, in the order of their
	// publication, until each returns an error.
	Inbox(ctx context.Context, account wallet.AccountID, since, until time.Time, each func(refresh.Recorded) error) error
}

// traceLine is a line of a trace, as the twin reads it.
type traceLine struct {
	After            string `json:"after"`
	Late             string `json:"late"`
	ChargePermission string `json:"chargePermission"`
	ObjectType       string `json:"objectType"`
	Object           string `json:"object"`
	Type             string `json:"type"`
	// For people; the twin ignores them.
	Waited  string `json:"waited"` // from the arrival to the processing
	Outcome string `json:"outcome"`
}

func (c *CLI) incidentCommand() *cobra.Command {
	var account, since, until string
	command := &cobra.Command{
		Use:   "incident",
		Short: "Write the notifications of a period as a trace that the local twin plays",
		Long: `Write the notifications of a period as a trace that the local twin plays.

JSON lines go to standard output: when each notification was published and how late
it arrived, about which object, and its outcome. Ids are replaced by numbers in the
order of their appearance, so a trace identifies no buyer and may be shared. make
run plays it: POST it to /trace of its control API.

Notifications that are in no inbox, such as lost ones and those in the queue or the
dead-letter queue, are missing from it.`,
		Args: cobra.ExactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := parseTime(since, time.Now())
			if err != nil {
				return usagef("--since: %w", err)
			}
			to, err := parseTime(until, time.Now())
			if err != nil {
				return usagef("--until: %w", err)
			}
			if !from.Before(to) {
				return usagef("--until is before --since")
			}
			parts, err := c.Connect(cmd.Context())
			if err != nil {
				return err
			}
			of, err := parts.account(account)
			if err != nil {
				return err
			}
			n, err := writeTrace(cmd.Context(), c.Out, parts.Store, of, from, to)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.Err, "%s of account %s, from %s to %s\n", count(n, "notification"), of, from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&account, "account", "", "the `account`; required if there are several")
	f.StringVar(&since, "since", "1h", "begin at this `time`, such as 2026-11-24T09:30:00Z, or a duration ago")
	f.StringVar(&until, "until", "0s", "end at this `time`, or a duration ago")
	return command
}

// writeTrace returns how many notifications it wrote.
func writeTrace(ctx context.Context, w io.Writer, inbox Inbox, account wallet.AccountID, from, to time.Time) (n int, err error) {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	permissions, objects := map[wallet.ChargePermissionID]string{}, map[string]string{}
	var first, last time.Time
	err = inbox.Inbox(ctx, account, from, to, func(r refresh.Recorded) error {
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
		return lines.Encode(traceLine{
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
