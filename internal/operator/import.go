package operator

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"walletsync/internal/reconcile"
	"walletsync/internal/wallet"
)

// ImportStore is what import needs of the store.
type ImportStore interface {
	reconcile.ImportStore
	reconcile.WakeStore
	ImportOf(context.Context, wallet.AccountID) (reconcile.Import, error)
	OtherCalls(context.Context, wallet.AccountID) (perSecond float64, err error)
}

// Import is the command that marks known charge permission ids as wanted.
func Import(connect Connect) Command {
	return Command{
		Name: "import", Args: "[file]",
		Line: "Mark known charge permission ids as wanted, from a file or standard input",
		Help: `
The list has one id a line, or is a CSV table with a column charge_permission_id
and, if there are several accounts, a column account. Without a header the id
comes first. Separators are commas, semicolons or tabs. A line that cannot be used
is told with its number and left out.

What is not known yet becomes wanted at the lowest priority: it is fetched out of
the account's share of the quota, behind everything else. What is known already,
read or wanted, stays as it is; so an import that was stopped, even by kill -9, is
run again with the same list and goes on where it was. It wakes the worker, and
needs no more attention then; --wait only looks on.

With the setting knownOnly the ids are known from then on: their notifications are
followed.`,
		Set: func(f *flag.FlagSet) func(context.Context, Terminal, []string) error {
			account := f.String("account", "", "the `account` of lines that name none")
			wait := f.Bool("wait", false, "wait until all is fetched, and tell what became of it")
			return func(ctx context.Context, t Terminal, args []string) error {
				in, size, err := input(t, args)
				if err != nil {
					return err
				}
				defer in.Close()
				parts, err := connect(ctx)
				if err != nil {
					return err
				}
				i := &importing{Terminal: t, parts: parts, account: *account, size: size, met: map[wallet.AccountID]bool{}}
				return i.run(ctx, in, *wait)
			}
		},
	}
}

// input opens the list, and tells its size if it has one.
func input(t Terminal, args []string) (in io.ReadCloser, size int64, err error) {
	switch {
	case len(args) > 1:
		return nil, 0, Misused("it takes one file, not %d", len(args))
	case len(args) == 0 || args[0] == "-":
		if Screen(t.In) {
			return nil, 0, Misused("there is no list; name a file, or pipe one into it")
		}
		return io.NopCloser(t.In), 0, nil
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, 0, fmt.Errorf("the list cannot be opened: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, size, nil
}

// batch is how many ids go to the store at once: a transaction of some
// milliseconds, so that nobody waits for it.
const batch = 1000

// importing is one import.
type importing struct {
	Terminal
	parts   Parts
	account string // of lines that name none
	size    int64  // of the list in bytes; 0: nobody knows

	p                *progress
	ids, marked, bad int
	met              map[wallet.AccountID]bool // accounts of the list; true: its worker was woken
	kept             *kept                     // what was read, if it is asked for later
}

func (i *importing) run(ctx context.Context, in io.Reader, wait bool) (err error) {
	if _, err := i.parts.configured(i.account); err != nil {
		return err
	}
	if wait {
		if i.kept, err = keep(); err != nil {
			return err
		}
		defer i.kept.close()
	}
	if err := i.mark(ctx, in); err != nil {
		return err
	}
	for _, a := range i.accounts() {
		i.parts.wake(ctx, a, i.p)
	}
	fmt.Fprintf(i.Out, "%12s  ids read\n%12s  new: wanted now, behind everything else\n%12s  known before, or twice in the list\n%12s  malformed lines, left out\n",
		thousands(i.ids), thousands(i.marked), thousands(i.ids-i.marked), thousands(i.bad))
	if err := i.outlook(ctx); err != nil {
		return err
	}
	if wait {
		if err := i.wait(ctx); err != nil {
			return err
		}
		of, err := i.became(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(i.Out, "Of the ids read\n%12s  are stored\n%12s  are of a type that is not followed\n%12s  are unknown to Amazon Pay (404)\n%12s  are erased, and stay so\n%12s  could not be read, and are tried again\n%12s  are wanted\n",
			thousands(of.Read), thousands(of.NotFollowed), thousands(of.Gone), thousands(of.Erased), thousands(of.Failing), thousands(of.Waiting))
		if of.Failing > 0 {
			return fmt.Errorf("%s could not be read yet; one of them says: %s", some(of.Failing, "id"), of.Error)
		}
	}
	if i.bad > 0 {
		return fmt.Errorf("%s of the list left out; correct and run it again, what is known costs nothing", some(i.bad, "line"))
	}
	return nil
}

// accounts are those that the list names, in key order.
func (i *importing) accounts() []wallet.AccountID {
	var out []wallet.AccountID
	for a := range i.met {
		out = append(out, a)
	}
	slices.Sort(out)
	return out
}

// key is an id with its account.
type key struct {
	account wallet.AccountID
	id      wallet.ChargePermissionID
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.account, o.account), cmp.Compare(k.id, o.id))
}

// mark reads the list and marks what it names.
func (i *importing) mark(ctx context.Context, in io.Reader) error {
	counted := &counting{r: in}
	l := newList(counted)
	i.p = &progress{Terminal: i.Terminal, what: "marking", shown: i.Now()}
	defer i.p.end()
	keys := make([]key, 0, batch)
	flush := func() error {
		err := i.flush(ctx, keys)
		keys = keys[:0]
		part := -1.0
		if i.size > 0 {
			part = float64(counted.n) / float64(i.size)
		}
		i.p.show(part, "%s ids, %s of them new", thousands(i.ids), thousands(i.marked))
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
				return fmt.Errorf("none of the first %s lines can be used: is this the list, and the id its first column or the one named charge_permission_id?", thousands(i.bad))
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
		return "", malformed{line, "it names no account, and there are several; give --account, or a column account"}
	case !slices.Contains(i.parts.Accounts, a):
		return "", malformed{line, "its account is not configured; configured: " + names(i.parts.Accounts)}
	}
	return a, nil
}

// flush marks a batch, in key order.
func (i *importing) flush(ctx context.Context, keys []key) error {
	i.ids += len(keys)
	if i.kept != nil {
		if err := i.kept.add(keys); err != nil {
			return err
		}
	}
	slices.SortFunc(keys, key.compare)
	return each(slices.Compact(keys), func(a wallet.AccountID, ids []wallet.ChargePermissionID) error {
		n, err := i.parts.Store.Import(ctx, a, ids)
		if err != nil {
			return fmt.Errorf("mark ids of account %s: %w", a, err)
		}
		i.marked += n
		if woken := i.met[a]; n > 0 && !woken {
			i.parts.wake(ctx, a, i.p) // what is marked now need not wait for the rest
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

// outlook tells when the import will have arrived.
func (i *importing) outlook(ctx context.Context) error {
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
		left := s.Left(others, float64(i.parts.FetchLimit))
		fmt.Fprintf(i.Err, "account %s: imports wait for %s, %s come first. The share of the quota is %s calls a second, FETCH_LIMIT allows %d; in the last hour others took %s. That makes about %s, until about %s.\n",
			a, some(s.Waiting, "id"), some(s.Ahead, "other"), speed(s.PerSecond), i.parts.FetchLimit, speed(others), span(left), i.Now().Add(left).Format("15:04 on 2 January"))
		if s.Rest > 0 {
			fmt.Fprintf(i.Err, "account %s: calls rest for %s: %s\n", a, span(s.Rest), s.Why)
		}
	}
	return nil
}

// became asks what has become of all that was read.
func (i *importing) became(ctx context.Context) (of reconcile.Imported, err error) {
	err = i.kept.read(func(keys []key) error {
		slices.SortFunc(keys, key.compare)
		return each(keys, func(a wallet.AccountID, ids []wallet.ChargePermissionID) error {
			some, err := i.parts.Store.Imported(ctx, a, ids)
			of.Add(some)
			return err
		})
	})
	return of, err
}

// counting counts what is read.
type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// kept is what was read of a list, in a file that nobody else sees: a million
// ids take 25 MB, and standard input cannot be read twice.
type kept struct {
	f *os.File
	w *bufio.Writer
}

func keep() (*kept, error) {
	f, err := os.CreateTemp("", "walletsync-import-")
	if err != nil {
		return nil, fmt.Errorf("room for the list: %w", err)
	}
	return &kept{f, bufio.NewWriter(f)}, nil
}

func (k *kept) close() {
	_ = k.f.Close()
	_ = os.Remove(k.f.Name())
}

func (k *kept) add(keys []key) error {
	for _, one := range keys {
		if _, err := fmt.Fprintf(k.w, "%s,%s\n", one.id, one.account); err != nil {
			return fmt.Errorf("keep the list: %w", err)
		}
	}
	return nil
}

// read calls do with all that was kept, a batch at a time.
func (k *kept) read(do func([]key) error) error {
	if err := k.w.Flush(); err != nil {
		return fmt.Errorf("keep the list: %w", err)
	}
	if _, err := k.f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("keep the list: %w", err)
	}
	l := newList(k.f)
	keys := make([]key, 0, batch)
	for {
		e, err := l.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("keep the list: %w", err)
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

// wait looks on until nothing of the import waits but what fails again and again.
func (i *importing) wait(ctx context.Context) error {
	i.p = &progress{Terminal: i.Terminal, what: "fetching"}
	defer i.p.end()
	var all int
	var pace pace
	for first := true; ; first = false {
		started := i.Now()
		waiting, stuck, left, rest := 0, 0, time.Duration(0), ""
		for _, a := range i.accounts() {
			s, err := i.parts.Store.ImportOf(ctx, a)
			if err != nil {
				return fmt.Errorf("account %s: %w", a, err)
			}
			waiting, stuck, left = waiting+s.Waiting, stuck+s.Stuck, max(left, s.Left(0, float64(i.parts.FetchLimit)))
			if s.Rest > 0 {
				rest += fmt.Sprintf("; calls of account %s rest for %s: %s", a, span(s.Rest), s.Why)
			}
		}
		if first {
			all = waiting
		}
		if waiting <= stuck {
			return nil
		}
		all = max(all, waiting) // another import may have begun
		fast := ""
		if rate, ok := pace.at(i.Now(), all-waiting); ok && rate > 0 {
			left = max(left, time.Duration(float64(waiting)/rate*float64(time.Second)))
			fast = ", " + speed(rate) + " a second"
		}
		i.p.show(float64(all-waiting)/float64(all), "%s of %s%s, about %s left%s", thousands(all-waiting), thousands(all), fast, span(left), rest)
		// To look costs the database a walk over what waits: a twentieth of the
		// time at most.
		if err := pause(ctx, max(time.Second, 20*i.Now().Sub(started))); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pace is how fast something goes, over the last minutes.
type pace struct {
	seen []sample
}

type sample struct {
	at   time.Time
	done int
}

// over is how far back the pace looks: an import at two calls a second, beside
// buyers' changes, is no steady thing.
const over = 2 * time.Minute

// at notes how much is done by now, and returns how much is done in a second; not
// before ten seconds have shown it.
func (p *pace) at(now time.Time, done int) (perSecond float64, ok bool) {
	p.seen = append(p.seen, sample{now, done})
	for now.Sub(p.seen[0].at) > over {
		p.seen = p.seen[1:]
	}
	d := now.Sub(p.seen[0].at)
	if d <= 0 {
		return 0, false
	}
	return float64(done-p.seen[0].done) / d.Seconds(), d >= 10*time.Second
}
