package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"walletsync/internal/wallet"
)

// list reads charge permission ids: one a line, or a CSV table with a column
// charge_permission_id and optionally a column account. A table without a header
// has the id first and the account second. Its separator is a comma, a semicolon
// or a tab. It reads line by line, in constant memory; a malformed line does not
// affect others.
type list struct {
	r           *bufio.Reader
	n           int // lines read
	comma       rune
	id, account int // columns; account -1: there is none
}

// listed is an id of a list.
type listed struct {
	ID      wallet.ChargePermissionID
	Account string // as written in the list; may be empty
}

// malformed is the error of a line. It does not quote the line: a list with the
// wrong columns may be full of names.
type malformed struct {
	line int
	why  string
}

func (m malformed) Error() string { return fmt.Sprintf("line %d: %s", m.line, m.why) }

// longestLine is more than a table about a charge permission needs.
const longestLine = 64 << 10

// The names of the columns, in lower case; Amazon writes chargePermissionId.
var (
	idColumns      = []string{"charge_permission_id", "chargepermissionid"}
	accountColumns = []string{"account"}
)

func newList(r io.Reader) *list {
	return &list{r: bufio.NewReaderSize(r, longestLine)}
}

// next returns the next id. Its error is io.EOF at the end, malformed for a line
// without an id, after which next may be called again, or that of the reader.
func (l *list) next() (listed, error) {
	for {
		line, err := l.line()
		if err != nil {
			return listed{}, err
		}
		if line == "" {
			continue
		}
		first := l.comma == 0
		if first {
			l.begin(line)
		}
		fields, err := l.split(line)
		if err != nil {
			return listed{}, malformed{l.n, "unmatched quotes"}
		}
		if first && l.header(fields) {
			continue
		}
		return l.entry(fields)
	}
}

// line returns the next line without its end and the space around it.
func (l *list) line() (string, error) {
	b, err := l.r.ReadSlice('\n')
	if len(b) == 0 && err != nil {
		return "", err
	}
	l.n++
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.r.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return "", malformed{l.n, fmt.Sprintf("longer than %d bytes", longestLine)}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if l.n == 1 {
		if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
			return "", errors.New("the list is in UTF-16; save it as UTF-8")
		}
		b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	}
	return string(bytes.TrimSpace(b)), nil
}

// begin finds out how the list is separated.
func (l *list) begin(line string) {
	l.comma, l.account = ',', 1
	if i := strings.IndexAny(line, ",;\t"); i >= 0 {
		l.comma = rune(line[i])
	}
}

func (l *list) split(line string) ([]string, error) {
	if !strings.Contains(line, `"`) {
		return strings.Split(line, string(l.comma)), nil
	}
	r := csv.NewReader(strings.NewReader(line))
	r.Comma = l.comma
	return r.Read()
}

// header reports whether the fields are the names of the columns.
func (l *list) header(fields []string) bool {
	id := column(fields, idColumns)
	if id < 0 {
		return false
	}
	l.id, l.account = id, column(fields, accountColumns)
	return true
}

func column(fields, names []string) int {
	for i, f := range fields {
		for _, n := range names {
			if strings.EqualFold(strings.TrimSpace(f), n) {
				return i
			}
		}
	}
	return -1
}

func (l *list) entry(fields []string) (listed, error) {
	at := func(i int) string {
		if i < 0 || i >= len(fields) {
			return ""
		}
		return strings.TrimSpace(fields[i])
	}
	id, err := wallet.ParseChargePermissionID(at(l.id))
	if err != nil {
		return listed{}, malformed{l.n, "no charge permission id (such as B01-0000000-0000000)"}
	}
	return listed{id, at(l.account)}, nil
}
