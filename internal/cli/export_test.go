package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"walletsync/internal/export"
	"walletsync/internal/privacy"
	"walletsync/internal/wallet"
)

// exportStore has some rows of any list, and may break in the middle.
type exportStore struct {
	Store
	rows  int
	about int
	slow  time.Duration // what a row takes
	err   error
	asked export.Query
}

func (s *exportStore) Export(_ context.Context, q export.Query, begin func([]export.Column, int) error, row func([]export.Cell) error) error {
	s.asked = q
	if err := begin([]export.Column{{Name: "charge_permission_id"}, {Name: "name"}}, s.about); err != nil {
		return err
	}
	for i := range s.rows {
		if s.slow > 0 {
			time.Sleep(s.slow)
		}
		if err := row([]export.Cell{export.Cell(fmt.Sprintf("B01-0000000-%07d", i)), export.Cell("=Ada")}); err != nil {
			return err
		}
	}
	return s.err
}

func (s *exportStore) OfOnePerson(_ context.Context, a wallet.AccountID, id wallet.ChargePermissionID) ([]privacy.Permission, time.Time, error) {
	if id == idB {
		return nil, time.Now(), nil
	}
	return []privacy.Permission{{Account: "main", ID: id}, {Account: "main", ID: idB}}, time.Now(), nil
}

func (s *exportStore) OfBuyer(_ context.Context, a wallet.AccountID, buyer string) ([]privacy.Permission, time.Time, error) {
	if buyer != "amzn1.account.ADA" {
		return nil, time.Now(), nil
	}
	return []privacy.Permission{{Account: "main", ID: idA}, {Account: "other", ID: idA}}, time.Now(), nil
}

func (s *exportStore) ExportPerson(_ context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID) ([]byte, error) {
	return []byte(fmt.Sprintf(`{"account": %q, "ids": %q}`, a, ids)), s.err
}

// run runs a command against the store.
func (s *exportStore) run(t *testing.T, bars bool, args ...string) (code int, out, stderr string) {
	return run(t.Context(), &CLI{Bars: bars, Connect: func(context.Context) (Parts, error) {
		return Parts{Accounts: []wallet.AccountID{"main", "other"}, Store: s}, nil
	}}, args...)
}

func TestExport(t *testing.T) {
	s := &exportStore{rows: 2}
	for _, c := range []struct {
		args []string
		out  string
	}{
		{[]string{"export", "buyers"}, "charge_permission_id,name\r\nB01-0000000-0000000,'=Ada\r\nB01-0000000-0000001,'=Ada\r\n"},
		{[]string{"export", "--verbatim", "buyers"}, "charge_permission_id,name\r\nB01-0000000-0000000,=Ada\r\nB01-0000000-0000001,=Ada\r\n"},
		{[]string{"export", "buyers", "--format", "jsonl"}, `{"charge_permission_id":"B01-0000000-0000000","name":"=Ada"}` + "\n" + `{"charge_permission_id":"B01-0000000-0000001","name":"=Ada"}` + "\n"},
	} {
		if code, out, stderr := s.run(t, false, c.args...); code != Done || out != c.out || stderr != "2 rows of buyers\n" {
			t.Errorf("%v: %d, %q, %q", c.args, code, out, stderr)
		}
	}
	begun := time.Now()
	if code, _, stderr := s.run(t, false, "export", "payment_states", "--masked", "--account=main", "--state", "Closed", "--since", "24h", "--id", idA); code != Done {
		t.Error(stderr)
	}
	list, _ := export.Named("payment_states")
	since := s.asked.Since
	if ago := begun.Add(-24 * time.Hour); since.Before(ago) || since.After(ago.Add(time.Minute)) {
		t.Errorf("since %v", since)
	}
	want := export.Query{List: list, Masked: true, Filters: export.Filters{Account: "main", ChargePermission: idA, State: "Closed", Since: since}}
	if fmt.Sprint(s.asked) != fmt.Sprint(want) {
		t.Errorf("asked for %+v, not %+v", s.asked, want)
	}
}

func TestExportShowsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &exportStore{rows: 40_000, about: 50_000, slow: time.Millisecond}
		_, _, stderr := s.run(t, false, "export", "buyers")
		golden(t, "export-progress", stderr)
		_, _, stderr = s.run(t, true, "export", "buyers")
		if !strings.Contains(stderr, "exporting  50% [===========>............] (25000/50000)") || !strings.HasSuffix(stderr, "\r40,000 rows of buyers\n") {
			t.Errorf("%.300q", stderr)
		}
		// The estimate is that of the whole list.
		if _, _, stderr = s.run(t, false, "export", "buyers", "--account", "main"); !strings.Contains(stderr, "(10000/-)") || strings.Contains(stderr, "%") {
			t.Errorf("%q", stderr)
		}
		// It may be too low.
		s.about = 20_000
		if code, _, stderr := s.run(t, false, "export", "buyers"); code != Done || !strings.HasSuffix(stderr, "40,000 rows of buyers\n") {
			t.Errorf("%d %q", code, stderr)
		}
	})
}

func TestOutputFileIsCompleteOrMissing(t *testing.T) {
	name := filepath.Join(t.TempDir(), "buyers.csv")
	s := &exportStore{rows: 3, err: errors.New("the database is down")}
	if err := os.WriteFile(name, []byte("of yesterday"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := s.run(t, false, "export", "buyers", "--output", name); code != Failed || stderr != "walletsync export: the database is down\n" {
		t.Errorf("%d %q", code, stderr)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "of yesterday" {
		t.Errorf("%q, %v", b, err)
	}
	s.err = nil
	if code, out, stderr := s.run(t, false, "export", "buyers", "--output", name); code != Done || out != "" {
		t.Errorf("%d %q %q", code, out, stderr)
	}
	b, err := os.ReadFile(name)
	info, err2 := os.Stat(name)
	if err != nil || err2 != nil || strings.Count(string(b), "\r\n") != 4 || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v, %v", b, info.Mode(), err, err2)
	}
	if left, err := filepath.Glob(name + "*"); err != nil || len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat("/dev/full"); err == nil { // Linux has it
		if code, _, stderr := s.run(t, false, "export", "buyers", "--output", "/dev/full"); code != Failed || !strings.Contains(stderr, "no space") {
			t.Errorf("%d %q", code, stderr)
		}
	}
	if code, _, stderr := s.run(t, false, "export", "buyers", "--output", filepath.Join(name, "x")); code != Failed || !strings.Contains(stderr, "create the file") {
		t.Errorf("%d %q", code, stderr)
	}
}

func TestExportOpensNoExistingFile(t *testing.T) {
	dir := t.TempDir()
	name, other := filepath.Join(dir, "buyers.csv"), filepath.Join(dir, "other")
	if err := errors.Join(os.WriteFile(other, []byte("of somebody else"), 0o644), os.Symlink(other, name+".part"), os.Symlink(other, name)); err != nil {
		t.Fatal(err)
	}
	s := &exportStore{rows: 3}
	if code, _, stderr := s.run(t, false, "export", "buyers", "--output", name); code != Done {
		t.Errorf("%d %q", code, stderr)
	}
	if b, err := os.ReadFile(other); err != nil || string(b) != "of somebody else" {
		t.Errorf("the file that a link names holds %q, %v", b, err)
	}
	info, err := os.Lstat(name)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestExportPerson(t *testing.T) {
	file := filepath.Join(t.TempDir(), "person.json")
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		out    string
		stderr string
	}{
		{"all of the person's", []string{idA}, Done, `{"account": "main", "ids": ["` + idA + `" "` + idB + `"]}` + "\n", "2 charge permissions of account main\n"},
		{"only this one", []string{"--one", idA}, Done, `{"account": "main", "ids": ["` + idA + `"]}` + "\n", "1 charge permission of account main\n"},
		{"into a file", []string{idA, "--output", file}, Done, "", "2 charge permissions of account main\n"},
		{"unknown id", []string{idB}, Failed, "", "walletsync export-person: charge permission " + idB + ": walletsync does not know this charge permission\n"},
		{"a buyer of two accounts", []string{"--buyer", "amzn1.account.ADA"}, Failed, "", "walletsync export-person: the accounts main and other know this buyer: name one\n"},
		{"unknown buyer", []string{"--buyer", "amzn1.account.BERT"}, Failed, "", "walletsync export-person: walletsync knows no charge permission of this buyer; what was erased carries no buyer id\n"},
		{"neither", nil, Misuse, "", "walletsync export-person: either a charge permission id or --buyer is required\nSee walletsync export-person --help.\n"},
		{"both", []string{idA, "--buyer", "x"}, Misuse, "", "walletsync export-person: either a charge permission id or --buyer is required\nSee walletsync export-person --help.\n"},
		{"no id", []string{"Ada"}, Misuse, "", "walletsync export-person: \"Ada\" is not a charge permission id (such as B01-0000000-0000000)\nSee walletsync export-person --help.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, stderr := (&exportStore{}).run(t, false, append([]string{"export-person"}, c.args...)...)
			if code != c.code || out != c.out || stderr != c.stderr {
				t.Errorf("%d\n%s\n%s", code, out, stderr)
			}
		})
	}
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), idB) {
		t.Errorf("%s, %v", b, err)
	}
}
