package operator

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"walletsync/internal/export"
	"walletsync/internal/wallet"
)

// ExportStore is what export needs of the store.
type ExportStore interface {
	// Export passes on the rows of a list, as they were when it began, in the
	// order of its key. Begin is told the columns and about how many rows the
	// list has, 0 if nobody knows.
	Export(ctx context.Context, q export.Query, begin func(columns []export.Column, about int) error, row func([]export.Cell) error) error
}

// Export is the command that writes a list of the back-office to a file.
func Export(connect Connect) Command {
	return Command{
		Name: "export", Args: "<list>",
		Line: "Write a list of the back-office as CSV or JSON Lines",
		Help: `
The lists are the views of the schema back_office, which migrations/README.md
describes: ` + lists() + `.
The columns are the view's, times are RFC 3339 in UTC, and the rows are as they
were when the export began. They come in the order of the charge permissions, the
timeline in that of the feed.

CSV is that of RFC 4180. = + - @ at the beginning of a text, and after a separator
or a quote within it, get an apostrophe in front, so that no spreadsheet runs the
text (OWASP, "CSV Injection"); telephone numbers such as +44… do too. Within JSON
they are written as escapes. --verbatim leaves both out, for programs. Null is an
empty cell; JSON Lines tell the two apart.

--output writes to a new file beside the named one and renames it when complete;
its mode is 0600. While rows go to a program that reads slowly, the database
cannot clean up what changes meanwhile: a file is kinder to it.`,
		Set: func(f *flag.FlagSet) func(context.Context, Terminal, []string) error {
			e := exporting{}
			format := f.String("format", "csv", "csv or jsonl")
			f.StringVar(&e.output, "output", "", "the `file` to write; else standard output")
			f.BoolVar(&e.q.Masked, "masked", false, "without personal data: from back_office_masked")
			f.BoolVar(&e.verbatim, "verbatim", false, "do not disarm cells of a CSV")
			account := f.String("account", "", "of this `account` alone")
			id := f.String("id", "", "of this charge permission `id` alone")
			f.StringVar(&e.q.State, "state", "", "in this `state` alone (payment_states, updates)")
			since := f.String("since", "", "not older than this: a `time` such as 2026-11-24T09:30:00Z, or how long ago, such as 24h")
			return func(ctx context.Context, t Terminal, args []string) (err error) {
				if len(args) != 1 {
					return Misused("it takes one list: %s", strings.Join(strings.Fields(lists()), " "))
				}
				var ok bool
				if e.q.List, ok = export.Named(args[0]); !ok {
					return Misused("there is no list %q; there are %s", args[0], strings.Join(strings.Fields(lists()), " "))
				}
				if *format != "csv" && *format != "jsonl" {
					return Misused("--format is csv or jsonl, not %q", *format)
				}
				e.json, e.q.Account = *format == "jsonl", wallet.AccountID(*account)
				if *id != "" {
					if e.q.ChargePermission, err = wallet.ParseChargePermissionID(*id); err != nil {
						return Misused("--id: %w", err)
					}
				}
				if *since != "" {
					if e.q.Since, err = moment(*since, t.Now()); err != nil {
						return Misused("--since: %w", err)
					}
				}
				if err := e.q.Check(); err != nil {
					return Misused("%w", err)
				}
				parts, err := connect(ctx)
				if err != nil {
					return err
				}
				if _, err := parts.configured(*account); err != nil {
					return err
				}
				return e.run(ctx, t, parts.Store)
			}
		},
	}
}

// lists are the names of all lists, in two lines.
func lists() string {
	var all []string
	for _, l := range export.Lists {
		all = append(all, l.Name)
	}
	return strings.Join(all[:4], ", ") + ",\n" + strings.Join(all[4:], ", ")
}

// exporting is one export.
type exporting struct {
	q        export.Query
	json     bool
	verbatim bool
	output   string
}

func (e *exporting) run(ctx context.Context, t Terminal, store ExportStore) (err error) {
	out, done := t.Out, func(err error) error { return err }
	if e.output != "" {
		if out, done, err = created(e.output); err != nil {
			return err
		}
	}
	n, err := e.write(ctx, t, store, out)
	if err = done(err); err == nil {
		fmt.Fprintf(t.Err, "%s of %s\n", some(n, "row"), e.q.List.Name)
	}
	return err
}

// created opens a new file beside the named one, readable by its owner alone,
// which takes its place when all is written, and is removed if that fails. Its
// name is a random one, so nothing that stands there already is opened, linked to
// or waited for. A pipe or a device is written as it is.
func created(name string) (io.Writer, func(error) error, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, nil, fmt.Errorf("the file cannot be written: %w", err)
		}
		// What was opened may be another file than what was looked at.
		if info, err := f.Stat(); err != nil || info.Mode().IsRegular() {
			return nil, nil, errors.Join(fmt.Errorf("the file cannot be written: %s was replaced", name), err, f.Close())
		}
		return f, func(err error) error { _ = f.Close(); return err }, nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.part") // mode 0600, and never one that exists
	if err != nil {
		return nil, nil, fmt.Errorf("the file cannot be written: %w", err)
	}
	return f, func(err error) error {
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err == nil {
			err = os.Rename(f.Name(), name)
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
		return err
	}, nil
}

// write writes the rows, and returns how many they were.
func (e *exporting) write(ctx context.Context, t Terminal, store ExportStore, out io.Writer) (n int, err error) {
	buffer := bufio.NewWriterSize(out, 64<<10)
	w := export.CSV(buffer, e.verbatim)
	if e.json {
		w = export.JSONLines(buffer)
	}
	p := &progress{Terminal: t, what: "exporting", shown: t.Now()}
	defer p.end()
	whole := e.q.Filters == export.Filters{}
	rows := 0
	var part func() float64
	err = store.Export(ctx, e.q, func(columns []export.Column, about int) error {
		part = func() float64 {
			if !whole || about == 0 {
				return -1
			}
			return min(0.99, float64(n)/float64(about)) // about is no more than that
		}
		return w.Begin(columns)
	}, func(cells []export.Cell) error {
		n++
		if rows++; rows == 1000 {
			rows = 0
			p.show(part(), "%s rows", thousands(n))
		}
		return w.Row(cells)
	})
	if err == nil {
		err = w.End()
	}
	if err == nil {
		err = buffer.Flush()
	}
	return n, err
}
