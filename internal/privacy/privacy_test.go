package privacy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"walletsync/internal/wallet"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 123456000, time.UTC)

// store has some charge permissions, and records the calls to it and to the log.
type store struct {
	known []Permission
	did   []string
	err   error // of writing the log
}

func (s *store) OfOnePerson(_ context.Context, a wallet.AccountID, _ wallet.ChargePermissionID) ([]Permission, time.Time, error) {
	return slices.DeleteFunc(slices.Clone(s.known), func(p Permission) bool { return a != "" && p.Account != a }), noon, nil
}

func (s *store) Erase(_ context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID, c wallet.Cause) error {
	s.did = append(s.did, fmt.Sprint("erase ", len(ids), " of ", a, " for ", c))
	return nil
}

func (s *store) Write(_ context.Context, all []Erasure) error {
	s.did = append(s.did, fmt.Sprint("log ", len(all)))
	return s.err
}

func numbered(n int) (all []wallet.ChargePermissionID) {
	for i := range n {
		all = append(all, wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", i+1)))
	}
	return all
}

func TestErasuresAreLoggedBefore(t *testing.T) {
	s := &store{}
	if err := (&Eraser{Store: s, Log: s}).Erase(t.Context(), "main", numbered(Page+1), noon, wallet.CauseRetention); err != nil {
		t.Fatal(err)
	}
	want := []string{"log 100", "erase 100 of main for retention", "log 1", "erase 1 of main for retention"}
	if d := cmp.Diff(want, s.did); d != "" {
		t.Error(d)
	}
}

func TestNothingIsErasedIfTheLogFails(t *testing.T) {
	s := &store{err: errors.New("no space left")}
	err := (&Eraser{Store: s, Log: s}).Erase(t.Context(), "main", numbered(1), noon, wallet.CauseErasure)
	if !errors.Is(err, s.err) || len(s.did) != 1 {
		t.Errorf("%v, %v", err, s.did)
	}
}

func TestARequestErasesOneOrAllOfAPerson(t *testing.T) {
	one, two := Permission{"main", numbered(2)[0]}, Permission{"main", numbered(2)[1]}
	elsewhere := Permission{"second", numbered(2)[0]}
	for _, c := range []struct {
		name    string
		known   []Permission
		account wallet.AccountID
		whole   bool
		want    []Permission
		says    string
	}{
		{"one alone", []Permission{one, two}, "", false, []Permission{one}, ""},
		{"all of the person", []Permission{one, two}, "", true, []Permission{one, two}, ""},
		{"no account has it", nil, "", true, nil, "does not know"},
		{"two accounts know it", []Permission{one, elsewhere}, "", false, nil, "name one"},
		{"one of them is named", []Permission{one, elsewhere}, "second", false, []Permission{elsewhere}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &store{known: c.known}
			got, err := (&Eraser{Store: s, Log: s}).Request(t.Context(), c.account, numbered(1)[0], c.whole)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Error(err)
			}
			if erased := len(s.did) > 0; erased != (c.want != nil) {
				t.Errorf("%v", s.did)
			}
		})
	}
}

// disk is a file.
type disk struct {
	bytes.Buffer
	synced int // bytes
}

func (d *disk) Sync() error {
	d.synced = d.Len()
	return nil
}

var two = []Erasure{
	{"erasure", "main", numbered(1)[0], noon, wallet.CauseErasure},
	{"erasure", "eu-live", numbered(2)[1], noon.Add(time.Hour), wallet.CauseRetention},
}

func readAll(t testing.TB, log string) (all []Erasure, err error) {
	t.Helper()
	err = ReadLog(strings.NewReader(log), func(e Erasure) error {
		all = append(all, e)
		return nil
	})
	return all, err
}

func TestALogIsReadAsItWasWritten(t *testing.T) {
	var file disk
	if err := (File{&file}).Write(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	if file.synced == 0 || file.synced != file.Len() {
		t.Errorf("%d of %d bytes were synced when Write returned", file.synced, file.Len())
	}
	var function bytes.Buffer
	log := zerolog.New(&function).Level(zerolog.ErrorLevel)
	if err := NewFunctionLog(log, &function).Write(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(function.String()), "\n")
	for _, c := range []struct{ name, log string }{
		{"a file", file.String()},
		{"a function's log at error level", function.String()},
		{"with other lines", "START RequestId\n" + lines[0] + "\n{\"level\":\"info\"}\n\n" + lines[1] + "\nREPORT {"},
		{"each after a time and a stream", "2026-11-24T12:00:00Z a/[$LATEST]b " + lines[0] + "\n2026 {x} " + lines[1]},
		{"on one line", strings.Join(lines, "\t")},
		{"written with spaces", strings.ReplaceAll(file.String(), `:"`, `: "`)},
	} {
		got, err := readAll(t, c.log)
		if d := cmp.Diff(two, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", c.name, err, d)
		}
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestNothingIsErasedThatAFunctionCannotLog(t *testing.T) {
	var b bytes.Buffer
	for name, log := range map[string]Log{
		"no log":               FunctionLog{},
		"a logger of no level": NewFunctionLog(zerolog.Nop(), &b),
		"a write that fails":   NewFunctionLog(zerolog.New(&b), full{}),
	} {
		s := &store{}
		err := (&Eraser{Store: s, Log: log}).Erase(t.Context(), "main", numbered(1), noon, wallet.CauseErasure)
		if err == nil || !strings.HasPrefix(err.Error(), "erasure log (nothing is erased") || len(s.did) != 0 {
			t.Errorf("%s: %v, %v", name, err, s.did)
		}
	}
	// The context of a request may carry no logger.
	s := &store{}
	if err := (&Eraser{Store: s, Log: NewFunctionLog(zerolog.New(&b), &b)}).Erase(t.Context(), "main", numbered(2), noon, wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}
	if all, err := readAll(t, b.String()); err != nil || len(all) != 2 {
		t.Errorf("logged: %v, %v", all, err)
	}
}

func TestAnUnreadableErasureIsAnError(t *testing.T) {
	const good = `{"event":"erasure","account":"main","charge_permission":"S01-0000000-0000001","erased_at":"2026-11-24T12:00:00Z","cause":"erasure"}`
	if _, err := readAll(t, good); err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string]string{
		"cut off":       good[:60],
		"no permission": strings.Replace(good, "S01-", "x", 1),
		"no account":    strings.Replace(good, "main", "", 1),
		"no time":       strings.Replace(good, `"erased_at"`, `"at"`, 1),
		"no such cause": strings.Replace(good, `"cause":"erasure"`, `"cause":"ipn"`, 1),
		"within a text": `{"message":"x \"event\":\"erasure\""} "event":"erasure"`,
	} {
		if _, err := readAll(t, "\n"+line); err == nil || !strings.HasPrefix(err.Error(), "line 2 of the erasure log") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadLog(f *testing.F) {
	f.Add(`{"event":"erasure","account":"main","charge_permission":"S01-0000000-0000001","erased_at":"2026-11-24T12:00:00Z","cause":"erasure"}`)
	f.Add(`x {"event": "erasure"} {`)
	f.Fuzz(func(t *testing.T, log string) {
		all, err := readAll(t, log)
		for _, e := range all {
			if e.check() != nil {
				t.Errorf("read: %+v", e)
			}
		}
		if err != nil || len(all) == 0 {
			return
		}
		var file disk
		if err := (File{&file}).Write(t.Context(), all); err != nil {
			t.Skip(err) // a year that JSON cannot write
		}
		again, err := readAll(t, file.String())
		if d := cmp.Diff(all, again); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
	})
}
