package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

var columns = []Column{{"id", Text}, {"name", Text}, {"chargeable", Bool}, {"left", Number}, {"since", Time}, {"descriptors", JSON}, {"update_id", UUID}}

var rows = [][]Cell{
	{Cell("B01-1"), Cell(`Ada "Countess", Example`), Cell("true"), Cell("-12.50"), Cell("2026-11-24T09:30:00Z"), Cell(`["Visa ****1111"]`), Cell("00000000-0000-0000-0000-000000000001")},
	{Cell("B01-2"), Cell("two\nlines"), Cell("false"), nil, nil, nil, nil},
	{Cell("B01-3"), Cell("=HYPERLINK(\"https://evil.example\")"), nil, Cell("0"), nil, Cell(`[]`), nil},
	{Cell("B01-4"), Cell(""), nil, nil, nil, nil, nil},
	{Cell("B01-5"), Cell("<東京> & 👩‍👩‍👧 \u202eabc"), nil, nil, nil, nil, nil},
}

func written(t testing.TB, w func(*bytes.Buffer) Writer, columns []Column, rows [][]Cell) string {
	t.Helper()
	var b bytes.Buffer
	out := w(&b)
	if err := out.Begin(columns); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := out.Row(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.End(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRowsAsCSV(t *testing.T) {
	want := strings.Join([]string{
		`id,name,chargeable,left,since,descriptors,update_id`,
		`B01-1,"Ada ""Countess"", Example",true,-12.50,2026-11-24T09:30:00Z,"[""Visa ****1111""]",00000000-0000-0000-0000-000000000001`,
		"B01-2,\"two\r\nlines\",false,,,,",
		`B01-3,"'=HYPERLINK(""https://evil.example"")",,0,,[],`,
		`B01-4,,,,,,`,
		"B01-5,<東京> & 👩‍👩‍👧 \u202eabc,,,,,", "",
	}, "\r\n")
	if got := written(t, func(b *bytes.Buffer) Writer { return CSV(b, false) }, columns, rows); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if got := written(t, func(b *bytes.Buffer) Writer { return CSV(b, true) }, columns, rows); got != strings.Replace(want, "'=", "=", 1) {
		t.Errorf("verbatim:\n%q", got)
	}
}

func TestRowsAsJSONLines(t *testing.T) {
	want := `{"id":"B01-1","name":"Ada \"Countess\", Example","chargeable":true,"left":-12.50,"since":"2026-11-24T09:30:00Z","descriptors":["Visa ****1111"],"update_id":"00000000-0000-0000-0000-000000000001"}
{"id":"B01-2","name":"two\nlines","chargeable":false,"left":null,"since":null,"descriptors":null,"update_id":null}
{"id":"B01-3","name":"=HYPERLINK(\"https://evil.example\")","chargeable":null,"left":0,"since":null,"descriptors":[],"update_id":null}
{"id":"B01-4","name":"","chargeable":null,"left":null,"since":null,"descriptors":null,"update_id":null}
{"id":"B01-5","name":"<東京> & 👩‍👩‍👧 ` + "\u202e" + `abc","chargeable":null,"left":null,"since":null,"descriptors":null,"update_id":null}
`
	if got := written(t, func(b *bytes.Buffer) Writer { return JSONLines(b) }, columns, rows); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatASpreadsheetRunsIsDisarmed(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "Ada": false, "1-2": false, "'=1": false, "a=1": false, "ー東京": false,
		"=1+1": true, "+44 20": true, "-1": true, "@SUM(A1)": true, "\t=1": true, "\r=1": true, "\n=1": true, "  =1": true,
		"\u00a0=1": true, "\ufeff=1": true, "＝1": true, "＋1": true, "－1": true, "＠A": true, "\tAda": true,
	} {
		if runs(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestAListSaysWhichFiltersItDoesNotHave(t *testing.T) {
	for _, c := range []struct {
		list string
		of   Filters
		want string
	}{
		{"payment_states", Filters{State: "Closed", Since: time.Now(), Account: "main", ChargePermission: "B01-0000000-0000000"}, ""},
		{"buyers", Filters{Since: time.Now()}, "the list buyers cannot be filtered by since"},
		{"timeline", Filters{State: "Closed"}, "the list timeline cannot be filtered by state"},
		{"accounts", Filters{ChargePermission: "B01-0000000-0000000"}, "the list accounts cannot be filtered by id"},
		{"feed", Filters{Account: "main"}, "the list feed cannot be filtered by account"},
	} {
		list, ok := Named(c.list)
		if !ok {
			t.Fatal(c.list)
		}
		got := ""
		if err := (Query{List: list, Filters: c.of}).Check(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s, %+v: %s", c.list, c.of, got)
		}
	}
}

// FuzzRows writes any text: a reader of RFC 4180 and one of JSON get it back, and
// no cell of the CSV begins with what a spreadsheet runs.
func FuzzRows(f *testing.F) {
	for _, s := range []string{"", "Ada", "=1", "\"", "a,b\r\nc", "\u2028", "＝", "'"} {
		f.Add(s, s)
	}
	two := []Column{{"a", Text}, {"b", Text}}
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?") // Postgres stores nothing else
		row := [][]Cell{{Cell(a), Cell(b)}}
		for _, verbatim := range []bool{false, true} {
			got, err := csv.NewReader(strings.NewReader(written(t, func(w *bytes.Buffer) Writer { return CSV(w, verbatim) }, two, row))).ReadAll()
			if err != nil || len(got) != 2 || len(got[1]) != 2 {
				t.Fatalf("%q, %v", got, err)
			}
			for i, text := range []string{a, b} {
				read := got[1][i]
				if !verbatim && runs(read) {
					t.Errorf("%q is run", read)
				}
				if !verbatim && runs(text) {
					read = strings.TrimPrefix(read, "'")
				}
				// RFC 4180 knows one line end.
				plain := func(s string) string { return strings.NewReplacer("\r\n", "\n", "\r", "").Replace(s) }
				if plain(read) != plain(text) {
					t.Errorf("%q is read as %q", text, read)
				}
			}
		}
		var got map[string]string
		line := written(t, func(w *bytes.Buffer) Writer { return JSONLines(w) }, two, row)
		if err := json.Unmarshal([]byte(line), &got); err != nil || !reflect.DeepEqual(got, map[string]string{"a": a, "b": b}) || strings.Count(line, "\n") != 1 {
			t.Errorf("%q: %v, %v", line, got, err)
		}
	})
}
