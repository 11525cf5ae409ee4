package operator

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"walletsync/internal/privacy"
	"walletsync/internal/reconcile"
	"walletsync/internal/restore"
)

// RestoredStore is what restored needs of the store.
type RestoredStore interface {
	restore.Store
	reconcile.WakeStore
}

// Restored is the command for after a restore.
func Restored(connect Connect) Command {
	return Command{
		Name: "restored",
		Args: "LOG …",
		Line: "Put the database right after a restore, or a failover that lost commits",
		Help: `
Run it before the functions work on the restored database again. It raises the
counter of the change feed by 2^40, so that every reader's cursor stays good; ends
all leases; erases once more who was erased since the backup; and marks everything
that is not closed wanted, behind the day's work, so that it is read anew as fast
as the share of the quota allows.

LOG is the erasure log: the files of "operator erase --log", and the log lines of
the reconciler and the console, as they wrote them; other lines are passed over.
- is standard input. Say --no-log if nobody was ever erased.`,
		Set: func(f *flag.FlagSet) func(context.Context, Terminal, []string) error {
			none := f.Bool("no-log", false, "there is no erasure log")
			return func(ctx context.Context, t Terminal, args []string) error {
				switch {
				case len(args) == 0 && !*none:
					return Misused("name the erasure logs, or who was erased since the backup is there again; --no-log if nobody ever was")
				case len(args) > 0 && *none:
					return Misused("there is --no-log and a log")
				}
				erasures, err := readLogs(t, args)
				if err != nil {
					return err
				}
				parts, err := connect(ctx)
				if err != nil {
					return err
				}
				return restored(ctx, t, parts, erasures)
			}
		},
	}
}

// readLogs reads all of the erasure logs before anything is done.
func readLogs(t Terminal, names []string) (all []privacy.Erasure, err error) {
	for _, name := range names {
		from := t.In
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				return nil, fmt.Errorf("the erasure log cannot be opened: %w", err)
			}
			defer file.Close()
			from = file
		}
		if err := readLog(from, &all); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
}

func readLog(r io.Reader, all *[]privacy.Erasure) error {
	return privacy.ReadLog(r, func(e privacy.Erasure) error {
		*all = append(*all, e)
		return nil
	})
}

func restored(ctx context.Context, t Terminal, parts Parts, erasures []privacy.Erasure) error {
	p := &progress{Terminal: t}
	defer func() { p.end() }()
	r, err := restore.Run(ctx, parts.Store, erasures, func(s restore.Step) {
		if s.Doing != p.what {
			p.end()
			p = &progress{Terminal: t, what: s.Doing}
		}
		part := -1.0
		if s.Of > 0 {
			part = float64(s.Done) / float64(s.Of)
		}
		p.show(part, "%s of %s", thousands(s.Done), thousands(s.Of))
	})
	if err != nil {
		return err
	}
	p.end()
	for _, a := range parts.Accounts {
		parts.wake(ctx, a, p)
	}
	fmt.Fprintf(t.Out, "%20d  position of the feed: what is stored from now on comes after it\n%20s  leases ended\n"+
		"%20s  charge permissions erased, by %s lines of the erasure log\n%20s  of the log left: their buyers have updated them since\n%20s  marked wanted\n",
		r.Position, thousands(r.Leases), thousands(r.Erased), thousands(len(erasures)), thousands(r.Lifted), thousands(r.Marked))
	return nil
}
