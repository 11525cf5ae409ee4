package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"walletsync/internal/reconcile"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// ImportStore is what import needs of the database.
type ImportStore interface {
	refresh.ImportStore
	reconcile.WakeStore
	ImportOf(context.Context, wallet.AccountID) (refresh.Import, error)
	OtherCalls(context.Context, wallet.AccountID) (perSecond float64, err error)
}

func (c *CLI) importCommand() *cobra.Command {
	i := &importing{CLI: c, met: map[wallet.AccountID]bool{}}
	var wait bool
	command := &cobra.Command{
		Use:   "import [FILE]",
		Short: "Request a refresh of existing charge permissions, by ids from a file or standard input",
		Long: `Request a refresh of existing charge permissions, by ids from a file or standard
input.

The list has one id a line, or is a CSV table with a column charge_permission_id
and, if there are several accounts, a column account. Without a header the id comes
first. Separators are commas, semicolons or tabs. A malformed line is reported with
its number and skipped.

New ids get a refresh request of the lowest priority: they are fetched within the
account's share of the quota, after everything else. Known ids stay as they are. So
an import that was stopped, even by kill -9, is run again with the same list and
continues. It wakes the worker and is complete then; --wait only watches.

With the setting knownOnly the ids are known from then on: their notifications are
processed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := i.open(args)
			if err != nil {
				return err
			}
			defer in.Close()
			if i.parts, err = c.Connect(cmd.Context()); err != nil {
				return err
			}
			return i.run(cmd.Context(), in, wait)
		},
	}
	f := command.Flags()
	f.StringVar(&i.account, "account", "", "the `account` of lines without one")
	f.BoolVar(&wait, "wait", false, "wait until all is fetched, and report the outcome")
	return command
}

// batch is how many ids go to the database at once: a transaction of some
// milliseconds, which delays no other.
const batch = 1000

// importing is one import.
type importing struct {
	*CLI
	parts   Parts
	account string // of lines without one
	size    int64  // of the list in bytes, 0 if unknown

	p                   *progress
	ids, requested, bad int
	met                 map[wallet.AccountID]bool // accounts of the list; true: its worker was woken
	spool               *spool                    // the ids, for --wait
}

// open opens the list.
func (i *importing) open(args []string) (io.ReadCloser, error) {
	if len(args) == 0 || args[0] == "-" {
		if IsScreen(i.In) {
			return nil, usagef("a file, or a list on standard input, is required")
		}
		return io.NopCloser(i.In), nil
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, fmt.Errorf("open the list: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		i.size = info.Size()
	}
	return f, nil
}

func (i *importing) run(ctx context.Context, in io.Reader, wait bool) (err error) {
	if _, err := i.parts.optionalAccount(i.account); err != nil {
		return err
	}
	if wait {
		if i.spool, err = newSpool(); err != nil {
			return err
		}
		defer i.spool.close()
	}
	if err := i.request(ctx, in); err != nil {
		return err
	}
	for _, a := range i.accounts() {
		i.parts.wake(ctx, a, i.p)
	}
	fmt.Fprintf(i.Out, "%12s  ids read\n%12s  new: refresh requested, after everything else\n%12s  known before, or twice in the list\n%12s  malformed lines, skipped\n",
		thousands(i.ids), thousands(i.requested), thousands(i.ids-i.requested), thousands(i.bad))
	if err := i.forecast(ctx); err != nil {
		return err
	}
	if wait {
		if err := i.wait(ctx); err != nil {
			return err
		}
		of, err := i.outcome(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(i.Out, "Of these ids\n%12s  are stored\n%12s  are of a type that is not followed\n%12s  are unknown to Amazon Pay (404)\n%12s  are erased, and stay so\n%12s  failed, and are tried again\n%12s  are pending\n",
			thousands(of.Read), thousands(of.NotFollowed), thousands(of.Gone), thousands(of.Erased), thousands(of.Failing), thousands(of.Waiting))
		if of.Failing > 0 {
			return fmt.Errorf("%s failed so far, one of them with: %s", count(of.Failing, "id"), of.Error)
		}
	}
	if i.bad > 0 {
		return fmt.Errorf("%s skipped; correct the list and run it again: known ids cost nothing", count(i.bad, "malformed line"))
	}
	return nil
}

// accounts are those in the list, in key order.
func (i *importing) accounts() []wallet.AccountID { return slices.Sorted(maps.Keys(i.met)) }

// key is an id with its account.
type key struct {
	account wallet.AccountID
	id      wallet.ChargePermissionID
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.account, o.account), cmp.Compare(k.id, o.id))
}

// request reads the list and requests the refreshes.
func (i *importing) request(ctx context.Context, in io.Reader) error {
	counted := &countingReader{r: in}
	l := newList(counted)
	i.p = i.progress("reading the list", i.size, progressbar.OptionShowBytes(true))
	defer i.p.end()
	keys := make([]key, 0, batch)
	flush := func() error {
		err := i.flush(ctx, keys)
		keys = keys[:0]
		i.p.set(counted.n)
		return err
	}
	for {
		e, err := l.next()
		k := key{wallet.AccountID(e.Account), e.ID}
		if err == nil {
			k.account, err = i.accountOf(e, l.n)
		}
		var bad malformed
		switch {
		case errors.Is(err, io.EOF):
			return flush()
		case errors.As(err, &bad):
			i.bad++
			i.p.say("%v", bad)
			if i.bad >= batch && i.ids+len(keys) == 0 {
				return fmt.Errorf("the first %s lines have no id: it must be the first column, or the one named charge_permission_id", thousands(i.bad))
			}
			continue
		case err != nil:
			return fmt.Errorf("read the list: %w", err)
		}
		if keys = append(keys, k); len(keys) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

// accountOf is the account of a line.
func (i *importing) accountOf(e listed, line int) (wallet.AccountID, error) {
	a := wallet.AccountID(cmp.Or(e.Account, i.account))
	switch {
	case a == "" && len(i.parts.Accounts) == 1:
		return i.parts.Accounts[0], nil
	case a == "":
		return "", malformed{line, "account missing: use --account, or a column account"}
	case !slices.Contains(i.parts.Accounts, a):
		return "", malformed{line, "account not configured; configured: " + names(i.parts.Accounts)}
	}
	return a, nil
}

// flush requests the refreshes of a batch, in key order.
func (i *importing) flush(ctx context.Context, keys []key) error {
	i.ids += len(keys)
	if i.spool != nil {
		if err := i.spool.add(keys); err != nil {
			return err
		}
	}
	slices.SortFunc(keys, key.compare)
	return each(slices.Compact(keys), func(a wallet.AccountID, ids []wallet.ChargePermissionID) error {
		n, err := i.parts.Store.Import(ctx, a, ids)
		if err != nil {
			return fmt.Errorf("request refreshes in account %s: %w", a, err)
		}
		i.requested += n
		if woken := i.met[a]; n > 0 && !woken {
			i.parts.wake(ctx, a, i.p) // the first ids need not wait for the rest
			i.met[a] = true
		} else {
			i.met[a] = woken
		}
		return nil
	})
}

// each calls do for each account of keys, which are sorted.
func each(keys []key, do func(wallet.AccountID, []wallet.ChargePermissionID) error) error {
	for len(keys) > 0 {
		a := keys[0].account
		var ids []wallet.ChargePermissionID
		for len(keys) > 0 && keys[0].account == a {
			ids, keys = append(ids, keys[0].id), keys[1:]
		}
		if err := do(a, ids); err != nil {
			return err
		}
	}
	return nil
}

// forecast reports when the import will be complete.
func (i *importing) forecast(ctx context.Context) error {
	for _, a := range i.accounts() {
		s, err := i.parts.Store.ImportOf(ctx, a)
		if err != nil {
			return fmt.Errorf("account %s: %w", a, err)
		}
		if s.Waiting == 0 {
			continue
		}
		others, err := i.parts.Store.OtherCalls(ctx, a)
		if err != nil {
			return fmt.Errorf("account %s: %w", a, err)
		}
		left := s.Left(others, float64(i.parts.FetchLimit)).Round(time.Second)
		fmt.Fprintf(i.Err, "account %s: %s pending, after %s. The share of the quota is %.3g calls a second, of which others used %.3g in the last hour; FETCH_LIMIT allows %d. Complete in about %v, at %s.\n",
			a, count(s.Waiting, "imported id"), count(s.Ahead, "other"), s.PerSecond, others, i.parts.FetchLimit, left, time.Now().Add(left).Format("15:04 on 2 January"))
		if s.Rest > 0 {
			fmt.Fprintf(i.Err, "account %s: calls paused for %v: %s\n", a, s.Rest.Round(time.Second), s.Why)
		}
	}
	return nil
}

// outcome looks up the outcome of all ids that were read.
func (i *importing) outcome(ctx context.Context) (of refresh.Imported, err error) {
	err = i.spool.read(func(keys []key) error {
		slices.SortFunc(keys, key.compare)
		return each(keys, func(a wallet.AccountID, ids []wallet.ChargePermissionID) error {
			part, err := i.parts.Store.Imported(ctx, a, ids)
			of.Add(part)
			return err
		})
	})
	return of, err
}

// countingReader counts the bytes that are read.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// spool keeps the ids in a temporary file: a million take 25 MB, and standard
// input cannot be read twice.
type spool struct {
	f *os.File
	w *bufio.Writer
}

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "walletsync-import-")
	if err != nil {
		return nil, fmt.Errorf("temporary file for the ids: %w", err)
	}
	return &spool{f, bufio.NewWriter(f)}, nil
}

func (k *spool) close() {
	_ = k.f.Close()
	_ = os.Remove(k.f.Name())
}

func (k *spool) add(keys []key) error {
	for _, one := range keys {
		if _, err := fmt.Fprintf(k.w, "%s,%s\n", one.id, one.account); err != nil {
			return fmt.Errorf("temporary file for the ids: %w", err)
		}
	}
	return nil
}

// read passes on all ids, a batch at a time.
func (k *spool) read(do func([]key) error) error {
	if err := k.w.Flush(); err != nil {
		return fmt.Errorf("temporary file for the ids: %w", err)
	}
	if _, err := k.f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("temporary file for the ids: %w", err)
	}
	l := newList(k.f)
	keys := make([]key, 0, batch)
	for {
		e, err := l.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("temporary file for the ids: %w", err)
		}
		if err == nil {
			keys = append(keys, key{wallet.AccountID(e.Account), e.ID})
		}
		if len(keys) == batch || errors.Is(err, io.EOF) {
			if err := do(keys); err != nil {
				return err
			}
			keys = keys[:0]
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// wait watches until no imported id is pending but those that fail repeatedly.
func (i *importing) wait(ctx context.Context) error {
	i.p = nil
	var total int
	for {
		started := time.Now()
		pending, stuck, left, pauses := 0, 0, time.Duration(0), ""
		for _, a := range i.accounts() {
			s, err := i.parts.Store.ImportOf(ctx, a)
			if err != nil {
				return fmt.Errorf("account %s: %w", a, err)
			}
			pending, stuck, left = pending+s.Waiting, stuck+s.Stuck, max(left, s.Left(0, float64(i.parts.FetchLimit)))
			if s.Rest > 0 {
				pauses += fmt.Sprintf(", calls of account %s paused for %v (%s)", a, s.Rest.Round(time.Second), s.Why)
			}
		}
		if pending <= stuck {
			return nil
		}
		if i.p == nil {
			total = pending
			i.p = i.progress("fetching", int64(total), progressbar.OptionShowIts(), progressbar.OptionSetItsString("ids"), progressbar.OptionThrottle(0))
			i.p.shown = time.Time{} // the first line at once
			defer i.p.end()
		}
		if pending > total { // another import has begun
			total = pending
			i.p.bar.ChangeMax(total)
		}
		i.p.bar.Describe(fmt.Sprintf("fetching, about %v left%s", left.Round(time.Second), pauses))
		i.p.set(int64(total - pending))
		// A look reads all pending ids: spend a twentieth of the time on it at most.
		select {
		case <-time.After(max(time.Second, 20*time.Since(started))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
