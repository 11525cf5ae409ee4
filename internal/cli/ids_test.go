package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"walletsync/internal/wallet"
)

// readAll returns a line for each line of the list.
func readAll(r io.Reader) (out []string, err error) {
	l := newList(r)
	for {
		e, err := l.next()
		var bad malformed
		switch {
		case errors.As(err, &bad):
			out = append(out, fmt.Sprintf("%d!", bad.line))
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, err
		default:
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%d %s %s", l.n, e.ID, e.Account), " "))
		}
	}
}

const (
	idA = "B01-0000000-0000001"
	idB = "P02-1234567-7654321"
)

func TestListsAreReadHoweverTheyAreWritten(t *testing.T) {
	both := []string{"1 " + idA, "2 " + idB}
	below := []string{"2 " + idA, "3 " + idB}
	with := []string{"2 " + idA + " main", "3 " + idB + " other"}
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"one id a line", idA + "\n" + idB + "\n", both},
		{"the last line has no end", idA + "\n" + idB, both},
		{"Windows' line ends", idA + "\r\n" + idB + "\r\n", both},
		{"a byte order mark", "\ufeff" + idA + "\n" + idB, both},
		{"space around", "  " + idA + "\t\n " + idB + " ", both},
		{"empty lines", "\n\n" + idA + "\n\n", []string{"3 " + idA}},
		{"a header alone", "charge_permission_id\n", nil},
		{"a header", "charge_permission_id\n" + idA + "\n" + idB, below},
		{"Amazon's word for it", "chargePermissionId\n" + idA + "\n" + idB, below},
		{"the accounts", "charge_permission_id,account\n" + idA + ",main\n" + idB + ",other\n", with},
		{"the accounts in front", "\"account\";\"name\";\"charge_permission_id\"\nmain;\"Ada; or \"\"Countess\"\"\";" + idA + "\nother;x;" + idB, with},
		{"tabs", "Charge_Permission_ID\tAccount\n" + idA + "\tmain\n" + idB + "\tother", with},
		{"no header: the account comes second", idA + ",main,more\n" + idB + ",other", []string{"1 " + idA + " main", "2 " + idB + " other"}},
		{"a table without accounts", "charge_permission_id,account_name\n" + idA + ",x", []string{"2 " + idA}},
		{"lines that cannot be used", "id\n" + idA + "\nb01-0000000-0000001\n" + idB + "-C012345\n\"" + idA + "\n" + idB, []string{"1!", "2 " + idA, "3!", "4!", "5!", "6 " + idB}},
		{"a line that is too short", "account,charge_permission_id\nmain\nmain," + idA, []string{"2!", "3 " + idA + " main"}},
		{"a line that is too long", idA + "\n" + strings.Repeat("x", 3*longestLine) + "\n" + idB, []string{"1 " + idA, "2!", "3 " + idB}},
		{"the last line is too long", idA + "\n" + strings.Repeat("x", 2*longestLine), []string{"1 " + idA, "2!"}},
		{"nothing", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAll(strings.NewReader(c.text))
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
			if again, err := readAll(iotest.OneByteReader(strings.NewReader(c.text))); err != nil || !slices.Equal(again, got) {
				t.Errorf("byte by byte: %q, %v", again, err)
			}
		})
	}
}

func TestAListThatCannotBeReadIsAnError(t *testing.T) {
	for name, r := range map[string]io.Reader{
		"UTF-16":       strings.NewReader("\xff\xfeB\x000\x001\x00"),
		"a bad disk":   io.MultiReader(strings.NewReader(idA+"\n"), iotest.ErrReader(errors.New("bad disk"))),
		"a long line ": io.MultiReader(strings.NewReader(strings.Repeat("x", 2*longestLine)), iotest.ErrReader(errors.New("bad disk"))),
	} {
		if got, err := readAll(r); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A list with the wrong columns may be full of names.
func TestWhatIsWrongWithALineDoesNotQuoteIt(t *testing.T) {
	for _, line := range []string{"Ada Example", "\"Ada Example", strings.Repeat("Ada Example", longestLine)} {
		if _, err := newList(strings.NewReader(line)).next(); err == nil || strings.Contains(err.Error(), "Ada") {
			t.Errorf("%.100v", err)
		}
	}
}

// FuzzList reads any text as a list: every line is an id, or malformed, or empty,
// or the header; and what was read, written plainly, is read the same.
func FuzzList(f *testing.F) {
	for _, s := range []string{
		idA, idA + "\n" + idB, "charge_permission_id,account\n" + idA + ",main", "account;charge_permission_id\r\nmain;\"" + idA + "\"",
		"\ufeff" + idA, "\"" + idA + "\n" + idB, ";\n" + idA, "\x00", "a\tb\n\n\n" + idA,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := newList(strings.NewReader(text))
		var all []listed
		used, bad, last := 0, 0, 0
		for {
			e, err := l.next()
			var m malformed
			if errors.As(err, &m) {
				if bad++; m.line != l.n || m.line <= last {
					t.Fatalf("line %d is reported as %d, after %d", l.n, m.line, last)
				}
				last = l.n
				continue
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				if !strings.HasPrefix(text, "\xff\xfe") && !strings.HasPrefix(text, "\xfe\xff") {
					t.Fatal(err)
				}
				return
			}
			if _, err := wallet.ParseChargePermissionID(string(e.ID)); err != nil || !strings.Contains(text, string(e.ID)) || l.n <= last {
				t.Fatalf("line %d: %q, %v", l.n, e.ID, err)
			}
			used, last = used+1, l.n
			all = append(all, e)
		}
		lines := 0
		for i, line := range strings.Split(text, "\n") {
			if i == 0 {
				line = strings.TrimPrefix(line, "\ufeff")
			}
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		if n := used + bad; n != lines && n != lines-1 { // the header is neither
			t.Errorf("%d used and %d bad of %d lines", used, bad, lines)
		}
		var plain strings.Builder
		for _, e := range all {
			if strings.ContainsAny(e.Account, "\"\r,;\t") || strings.TrimSpace(e.Account) != e.Account {
				return
			}
			fmt.Fprintf(&plain, "%s,%s\n", e.ID, e.Account)
		}
		again := newList(strings.NewReader(plain.String()))
		for _, e := range all {
			if got, err := again.next(); err != nil || got != e {
				t.Fatalf("%+v is read as %+v, %v", e, got, err)
			}
		}
	})
}
