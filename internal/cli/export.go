package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"walletsync/internal/export"
	"walletsync/internal/wallet"
)

// Exporter reads a list.
type Exporter interface {
	// Export passes on the rows of a list, as they were when it began, in the
	// order of its key. Begin gets the columns and an estimate of the number of
	// rows, 0 if there is none.
	Export(ctx context.Context, q export.Query, begin func(columns []export.Column, estimate int) error, row func([]export.Cell) error) error
}

func (c *CLI) exportCommand() *cobra.Command {
	var q export.Query
	var format, account, id, since, output string
	var verbatim bool
	var lists []string
	for _, l := range export.Lists {
		lists = append(lists, l.Name)
	}
	command := &cobra.Command{
		Use:   "export LIST",
		Short: "Write a list of the back office as CSV or JSON Lines",
		Long: `Write a list of the back office as CSV or JSON Lines.

The lists are the views of the schema back_office, described in
migrations/README.md: ` + strings.Join(lists[:4], ", ") + `,
` + strings.Join(lists[4:], ", ") + `.
The columns are the view's, times are RFC 3339 in UTC. The rows are as they were
when the export began, in the order of the charge permissions, the timeline in the
order of the change feed.

CSV follows RFC 4180. A =, +, - or @ at the beginning of a text, or after a
separator or a quote in it, gets an apostrophe in front, so that no spreadsheet
runs the text as a formula (OWASP, "CSV Injection"); telephone numbers such as +44…
get one too. Within JSON they are escaped. --verbatim leaves both out, for
programs. Null is an empty cell; JSON Lines keep the two distinct.

--output writes to a temporary file and renames it when complete; its mode is 0600.
A program that reads standard output slowly keeps the database from cleaning up
old rows meanwhile: prefer a file.`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: lists,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			q.List, _ = export.Named(args[0])
			if format != "csv" && format != "jsonl" {
				return usagef("--format is csv or jsonl, not %q", format)
			}
			q.Account = wallet.AccountID(account)
			if id != "" {
				if q.ChargePermission, err = wallet.ParseChargePermissionID(id); err != nil {
					return usagef("--id: %w", err)
				}
			}
			if since != "" {
				if q.Since, err = parseTime(since, time.Now()); err != nil {
					return usagef("--since: %w", err)
				}
			}
			if err := q.Check(); err != nil {
				return usageError{err}
			}
			parts, err := c.Connect(cmd.Context())
			if err != nil {
				return err
			}
			if _, err := parts.optionalAccount(account); err != nil {
				return err
			}
			var rows int
			if err := c.write(output, func(out io.Writer) error {
				buffer := bufio.NewWriterSize(out, 64<<10)
				w := export.CSV(buffer, verbatim)
				if format == "jsonl" {
					w = export.JSONLines(buffer)
				}
				if rows, err = c.export(cmd.Context(), parts.Store, q, w); err != nil {
					return err
				}
				return buffer.Flush()
			}); err != nil {
				return err
			}
			fmt.Fprintf(c.Err, "%s of %s\n", count(rows, "row"), q.List.Name)
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&format, "format", "csv", "csv or jsonl")
	f.StringVar(&output, "output", "", "write to this `file` instead of standard output")
	f.BoolVar(&q.Masked, "masked", false, "without personal data: from back_office_masked")
	f.BoolVar(&verbatim, "verbatim", false, "do not disarm formulas in CSV")
	f.StringVar(&account, "account", "", "only of this `account`")
	f.StringVar(&id, "id", "", "only of this charge permission `id`")
	f.StringVar(&q.State, "state", "", "only in this `state` (payment_states, updates)")
	f.StringVar(&since, "since", "", "only since this `time`, such as 2026-11-24T09:30:00Z, or a duration ago, such as 24h")
	return command
}

// export writes the rows, and returns how many they were.
func (c *CLI) export(ctx context.Context, store Exporter, q export.Query, w export.Writer) (rows int, err error) {
	var p *progress
	err = store.Export(ctx, q, func(columns []export.Column, estimate int) error {
		if q.Filters != (export.Filters{}) {
			estimate = 0 // it is that of the whole list
		}
		p = c.progress("exporting", int64(estimate))
		return w.Begin(columns)
	}, func(cells []export.Cell) error {
		if rows++; rows%1000 == 0 {
			p.set(int64(rows))
		}
		return w.Row(cells)
	})
	if p != nil {
		p.end()
	}
	if err == nil {
		err = w.End()
	}
	return rows, err
}

// parseTime reads a time, or how long ago it was.
func parseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%q is neither a time such as 2026-11-24T09:30:00Z nor a duration such as 90m", text)
	}
	return at, nil
}
