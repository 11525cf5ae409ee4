package operator

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"walletsync/internal/privacy"
	"walletsync/internal/refresh"
	"walletsync/internal/restore"
	"walletsync/internal/wallet"
)

// people is a store that knows some charge permissions of one person, and notes
// what is done to it.
type people struct {
	Store
	known  []privacy.Permission
	did    []string
	erased []wallet.ChargePermissionID
	err    error // of marking
}

func (p *people) OfOnePerson(context.Context, wallet.AccountID, wallet.ChargePermissionID) ([]privacy.Permission, time.Time, error) {
	return p.known, time.Unix(1e9, 0), nil
}

func (p *people) Erase(_ context.Context, _ wallet.AccountID, ids []wallet.ChargePermissionID, _ wallet.Cause) error {
	p.erased = append(p.erased, ids...)
	return nil
}

func (p *people) Restored(context.Context) (int64, int, error) {
	p.did = append(p.did, "raised")
	return 1 << 40, 2, nil
}

func (p *people) Accounts(context.Context) ([]restore.Account, error) {
	return []restore.Account{{ID: "main", Total: 5}}, nil
}

func (p *people) Standing(_ context.Context, _ wallet.AccountID, all []privacy.Erasure) ([]privacy.Erasure, error) {
	return all[:1], nil
}

func (p *people) MarkAll(context.Context, wallet.AccountID, wallet.ChargePermissionID, int) (restore.Marked, error) {
	p.did = append(p.did, "marked")
	return restore.Marked{Seen: 5, Marked: 4}, p.err
}

func (p *people) Backlog(context.Context, wallet.AccountID) (refresh.Backlog, []refresh.Wake, error) {
	return refresh.Backlog{}, []refresh.Wake{{Account: "main"}}, nil
}

func (p *people) Wake(context.Context, wallet.AccountID, time.Time, time.Duration) error {
	p.did = append(p.did, "woken")
	return nil
}

// ran is what a run of the program came to.
type ran struct {
	code     int
	out, err string
}

func (p *people) run(t *testing.T, in string, args ...string) ran {
	t.Helper()
	connect := func(context.Context) (Parts, error) {
		return Parts{Accounts: []wallet.AccountID{"main"}, Store: p, Waker: p}, nil
	}
	var out, err bytes.Buffer
	code := Program{Commands: []Command{Erase(connect), Restored(connect)},
		Terminal: Terminal{In: strings.NewReader(in), Out: &out, Err: &err, Now: time.Now}}.Run(t.Context(), args)
	return ran{code, out.String(), err.String()}
}

const (
	idOne = "S01-0000000-0000001"
	idTwo = "S01-0000000-0000002"
)

func TestWhatIsErasedIsToldAndLogged(t *testing.T) {
	log := filepath.Join(t.TempDir(), "erasures.jsonl")
	if err := os.WriteFile(log, []byte("what was there\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &people{known: []privacy.Permission{{Account: "main", ID: idOne}, {Account: "main", ID: idTwo}}}
	got := p.run(t, "", "erase", idOne, "--log", log)
	if got.code != Done || got.out != "main "+idOne+" erased\nmain "+idTwo+" erased\n" || !slices.Equal(p.erased, []wallet.ChargePermissionID{idOne, idTwo}) {
		t.Errorf("%+v, %v", got, p.erased)
	}
	b, err := os.ReadFile(log)
	if err != nil || !strings.HasPrefix(string(b), "what was there\n") || strings.Count(string(b), "\n") != 3 {
		t.Errorf("%s, %v", b, err)
	}
	p.erased = nil
	if got := p.run(t, "", "erase", "--one", idOne, "--log", log); got.code != Done || len(p.erased) != 1 {
		t.Errorf("one alone: %+v, %v", got, p.erased)
	}
}

func TestAnErasureThatCannotBeLoggedIsNone(t *testing.T) {
	p := &people{known: []privacy.Permission{{Account: "main", ID: idOne}}}
	for name, c := range map[string]struct {
		code int
		says string
		args []string
	}{
		"no log":             {Misuse, "--log", []string{idOne}},
		"a log in no folder": {Failed, "erasure log", []string{"--log", filepath.Join(t.TempDir(), "no", "log"), idOne}},
		"a log that is full": {Failed, "nothing is erased", []string{"--log", "/dev/full", idOne}},
		"no id":              {Misuse, "name one", []string{"--log", "x"}},
		"no such id":         {Misuse, "not a charge permission id", []string{"--log", "x", "S01"}},
		"another account":    {Misuse, "not configured", []string{"--log", "x", "--account", "other", idOne}},
	} {
		if got := p.run(t, "", append([]string{"erase"}, c.args...)...); got.code != c.code || !strings.Contains(got.err, c.says) || len(p.erased) > 0 {
			t.Errorf("%s: %+v, %v", name, got, p.erased)
		}
	}
	p.known = nil
	if got := p.run(t, "", "erase", "--log", filepath.Join(t.TempDir(), "log"), idOne); got.code != Failed || !strings.Contains(got.err, "does not know") {
		t.Errorf("nobody has heard of it: %+v", got)
	}
}

func TestAfterARestoreTheLogIsReplayed(t *testing.T) {
	const line = `{"event":"erasure","account":"main","charge_permission":"` + idOne + `","erased_at":"2026-11-24T12:00:00Z","cause":"erasure"}` + "\n"
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte(line+`{"level":"info"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &people{}
	got := p.run(t, strings.Replace(line, idOne, idTwo, 1), "restored", file, "-")
	if got.code != Done || !slices.Equal(p.erased, []wallet.ChargePermissionID{idOne}) || !slices.Equal(p.did, []string{"raised", "marked", "woken"}) {
		t.Errorf("%+v, %v, %v", got, p.erased, p.did)
	}
	for _, line := range []string{"1099511627776  position of the feed", " 1  charge permissions erased, by 2 lines", " 1  of the log left", " 4  marked wanted"} {
		if !strings.Contains(got.out, line) {
			t.Errorf("%q is not in\n%s", line, got.out)
		}
	}
}

func TestARestoreWithoutALogHasToBeSaid(t *testing.T) {
	p := &people{}
	for name, c := range map[string]struct {
		code int
		in   string
		args []string
	}{
		"nothing said":                  {Misuse, "", nil},
		"both":                          {Misuse, "", []string{"--no-log", "-"}},
		"a file that is not there":      {Failed, "", []string{filepath.Join(t.TempDir(), "log")}},
		"a log that cannot be read":     {Failed, `{"event":"erasure"`, []string{"-"}},
		"it is said that there is none": {Done, "", []string{"--no-log"}},
	} {
		p.did = nil
		if got := p.run(t, c.in, append([]string{"restored"}, c.args...)...); got.code != c.code || (len(p.did) > 0) != (c.code == Done) {
			t.Errorf("%s: %+v, %v", name, got, p.did)
		}
	}
}

func TestARestoreThatFailsSaysWhere(t *testing.T) {
	p := &people{err: errors.New("not now")}
	if got := p.run(t, "", "restored", "--no-log"); got.code != Failed || !strings.Contains(got.err, "in account main") || !strings.Contains(got.err, "not now") {
		t.Errorf("%+v", got)
	}
}
