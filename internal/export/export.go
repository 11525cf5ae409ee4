// Package export writes the lists of the back office: every view of the schema
// back_office, or of back_office_masked, as CSV (RFC 4180) or as JSON Lines, a row
// at a time.
//
// Cells of a CSV come from buyers and from Amazon, and a spreadsheet runs what
// begins with an equals sign; one whose separator is the semicolon, as in much of
// Europe, begins a cell after each semicolon, in quotes or not. So a character
// that could begin a formula there gets an apostrophe in front, as OWASP's "CSV
// Injection" advises, and one in a JSON cell is escaped; Verbatim leaves both out,
// for programs. JSON Lines are always verbatim.
package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"walletsync/internal/wallet"
)

// List is a view that can be exported.
type List struct {
	Name string
	// Key is the columns that order it; with the account they name a row, and an
	// index is in their order.
	Key []Column
	// Whole: it has a row for each change or account, in one order for all
	// accounts. Others are read account by account.
	Whole bool
	// State and Since are the columns that the filters of these names look at;
	// empty: there is none.
	State, Since string
	// Table is the table whose number of rows is about that of the list; empty: a
	// few rows.
	Table string
}

// Lists are the views, in the order of the reference.
var Lists = []List{
	{Name: "accounts", Key: []Column{{"account", Text}}, Whole: true},
	{Name: "shipping_addresses", Key: byID, Since: "since", Table: "charge_permissions"},
	{Name: "billing_addresses", Key: byID, Since: "since", Table: "charge_permissions"},
	{Name: "buyers", Key: byID, Table: "charge_permissions"},
	{Name: "payment_states", Key: byID, State: "state", Since: "since", Table: "charge_permissions"},
	{Name: "updates", Key: []Column{{"charge_permission_id", Text}, {"started_at", Time}, {"update_id", UUID}}, State: "state", Since: "started_at", Table: "update_sessions"},
	{Name: "timeline", Key: []Column{{"position", Number}}, Whole: true, Since: "stored_at", Table: "charge_permission_changes"},
	{Name: "freshness", Key: byID, Since: "stored_at", Table: "refreshes"},
	{Name: "money_notices", Key: []Column{{"charge_permission_id", Text}, {"published_at", Time}, {"message_id", Text}}, Since: "arrived_at", Table: "notifications"},
	{Name: "feed", Key: []Column{{"last_position", Number}}, Whole: true},
}

var byID = []Column{{"charge_permission_id", Text}}

// Named returns the list of that name.
func Named(name string) (List, bool) {
	for _, l := range Lists {
		if l.Name == name {
			return l, true
		}
	}
	return List{}, false
}

// Filters narrow a list; the zero value leaves it whole.
type Filters struct {
	Account          wallet.AccountID
	ChargePermission wallet.ChargePermissionID
	State            string
	Since            time.Time
}

// Query is an export.
type Query struct {
	List   List
	Masked bool // without personal data
	Filters
}

// Check returns an error if the list does not have one of the filters.
func (q Query) Check() error {
	no := func(filter string) error {
		return fmt.Errorf("the list %s cannot be filtered by %s", q.List.Name, filter)
	}
	switch {
	case q.State != "" && q.List.State == "":
		return no("state")
	case !q.Since.IsZero() && q.List.Since == "":
		return no("since")
	case q.ChargePermission != "" && (q.List.Name == "accounts" || q.List.Name == "feed"):
		return no("id")
	case q.Account != "" && q.List.Name == "feed":
		return no("account")
	}
	return nil
}

// Kind is how a column is written.
type Kind int

// The kinds of columns.
const (
	Text   Kind = iota
	Number      // as it is
	Bool        // true or false
	Time        // RFC 3339, in UTC
	UUID        // in the form of RFC 9562
	JSON        // as it is
)

// Column is a column of a list.
type Column struct {
	Name string
	Kind Kind
}

// Cell is a value as text; nil: null.
type Cell []byte

// Writer writes the rows of a list.
type Writer interface {
	// Begin writes what stands before the rows.
	Begin([]Column) error
	// Row writes one; the cells are not kept.
	Row([]Cell) error
	// End writes out what is left.
	End() error
}

// CSV returns a writer of CSV: a header, lines that end with CR LF. Null is an
// empty cell.
func CSV(w io.Writer, verbatim bool) Writer {
	return &csvWriter{w: csv.NewWriter(w), verbatim: verbatim}
}

type csvWriter struct {
	w        *csv.Writer
	verbatim bool
	columns  []Column
	row      []string
}

func (c *csvWriter) Begin(columns []Column) error {
	c.w.UseCRLF = true
	c.columns = columns
	c.row = make([]string, len(columns))
	for i, k := range columns {
		c.row[i] = k.Name
	}
	return c.w.Write(c.row)
}

func (c *csvWriter) Row(cells []Cell) error {
	for i, v := range cells {
		c.row[i] = string(v)
		switch kind := c.columns[i].Kind; {
		case c.verbatim:
		case kind == Text:
			c.row[i] = disarmText(c.row[i])
		case kind == JSON:
			c.row[i] = disarmJSON(c.row[i])
		}
	}
	return c.w.Write(c.row)
}

func (c *csvWriter) End() error {
	c.w.Flush()
	return c.w.Error()
}

// Characters with which a formula begins, in full width too, as Japanese
// spreadsheets read them; and those that end a cell for a spreadsheet whose
// separator is another than the comma, whatever stands in quotes: it takes only
// a quote that begins a cell for one.
const (
	formula   = "=+-@＝＋－＠"
	separator = ";,|\t\r\n\""
)

// cellStart is whether a spreadsheet may begin a cell at the next rune.
type cellStart bool

// next takes the next rune, and reports whether a formula begins with it.
func (c *cellStart) next(r rune) bool {
	switch {
	case strings.ContainsRune(separator, r):
		*c = true
	case strings.ContainsRune(formula, r):
		begins := bool(*c)
		*c = false
		return begins
	case !unicode.IsSpace(r) && !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r):
		*c = false
	}
	return false
}

// disarmText puts an apostrophe in front of each character with which a
// spreadsheet may begin to run a formula.
func disarmText(text string) string {
	var b strings.Builder
	if strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "\r") || strings.HasPrefix(text, "\n") {
		b.WriteByte('\'')
	}
	start := cellStart(true)
	for _, r := range text {
		if start.next(r) {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// disarmJSON writes such characters within the strings of a JSON text as JSON's
// escapes, so that it stays the same value. Outside strings there is nothing that
// others chose: numbers, true, false and null.
func disarmJSON(text string) string {
	var b strings.Builder
	var start cellStart
	quoted, escaped := false, false
	for _, r := range text {
		switch {
		case quoted && start.next(r):
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		case !quoted && unicode.IsSpace(r):
			r = ' ' // no line, which would be a row
		case r == '"' && !escaped:
			quoted, start = !quoted, true
		}
		escaped = r == '\\' && !escaped
		b.WriteRune(r)
	}
	return b.String()
}

// JSONLines returns a writer of a JSON object a line, its members in the order of
// the columns (https://jsonlines.org).
func JSONLines(w io.Writer) Writer { return &jsonWriter{w: bufio.NewWriter(w)} }

type jsonWriter struct {
	w       *bufio.Writer
	columns []Column
	names   [][]byte
	line    []byte
}

func (j *jsonWriter) Begin(columns []Column) error {
	j.columns = columns
	for _, c := range columns {
		name, err := quote(c.Name)
		if err != nil {
			return err
		}
		j.names = append(j.names, name)
	}
	return nil
}

func quote(text string) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(text)
	return []byte(strings.TrimSuffix(b.String(), "\n")), err
}

func (j *jsonWriter) Row(cells []Cell) error {
	j.line = append(j.line[:0], '{')
	for i, v := range cells {
		if i > 0 {
			j.line = append(j.line, ',')
		}
		j.line = append(append(j.line, j.names[i]...), ':')
		switch j.columns[i].Kind {
		case Number, Bool, JSON:
			if v == nil {
				v = Cell("null")
			}
			j.line = append(j.line, v...)
		default:
			if v == nil {
				j.line = append(j.line, "null"...)
				continue
			}
			text, err := quote(string(v))
			if err != nil {
				return err
			}
			j.line = append(j.line, text...)
		}
	}
	_, err := j.w.Write(append(j.line, '}', '\n'))
	return err
}

func (j *jsonWriter) End() error { return j.w.Flush() }
