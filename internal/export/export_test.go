package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
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

func TestFormulasInTextCellsAreDisarmed(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "Ada": "Ada", "1-2": "1-2", "'=1": "'=1", "a=1": "a=1", "ー東京": "ー東京", "a@b.example": "a@b.example", "a; b": "a; b",
		"=1+1": "'=1+1", "+44 20": "'+44 20", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t'=1", "\r=1": "'\r'=1", "\n=1": "'\n'=1", "  =1": "  '=1",
		"\u00a0=1": "\u00a0'=1", "\ufeff=1": "\ufeff'=1", "＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠A": "'＠A", "\tAda": "'\tAda",
		"a;=1": "a;'=1", "a; +1;-2": "a; '+1;'-2", "a;\"=1": "a;\"'=1", "a;\u200b@A": "a;\u200b'@A", "a\n=1": "a\n'=1", "a\r\n =1": "a\r\n '=1",
		"a\t=1": "a\t'=1", "a|=1": "a|'=1", "a,=1": "a,'=1", "a\"=1": "a\"'=1", "a;＝1": "a;'＝1", "a;=1=2": "a;'=1=2",
	} {
		if got := disarmText(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestFormulasInJSONCellsAreDisarmedAndStayTheSameValue(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": -1, "b": [true, null, -2.5]}`: `{"a": -1, "b": [true, null, -2.5]}`,
		`["Visa ****1111"]`:                  `["Visa ****1111"]`,
		`["=1"]`:                             `["\u003d1"]`,
		`{"a": "x;=1"}`:                      `{"a": "x;\u003d1"}`,
		`{"x;-1": "x; \"+1"}`:                `{"x;\u002d1": "x; \"\u002b1"}`,
		`{"a": "\\", "b": "@A"}`:             `{"a": "\\", "b": "\u0040A"}`,
		"[\n-1,\t\"＝1\"]":                    `[ -1, "\uff1d1"]`,
		`"=1"`:                               `"\u003d1"`,
	} {
		got := disarmJSON(text)
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		var before, after any
		if err := errors.Join(json.Unmarshal([]byte(text), &before), json.Unmarshal([]byte(got), &after)); err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%s is read as %v, %v: %v", text, before, after, err)
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

// run is where a spreadsheet of any separator may run a formula.
var run = regexp.MustCompile(`(?:^|[;,|\t\r\n"])[\pZ\p{Cc}\p{Cf}"]*[=+@＝＋－＠-]`)

// FuzzRows writes any text: a reader of RFC 4180 and one of JSON get it back, and
// no formula begins anywhere in the CSV.
func FuzzRows(f *testing.F) {
	for _, s := range []string{"", "Ada", "=1", "\"", "a,b\r\nc", "\u2028", "＝", "'", "a;=1", "a;\"=1", "a\n-1", "\\;=1", ";"} {
		f.Add(s, s)
	}
	three := []Column{{"a", Text}, {"b", Text}, {"c", JSON}}
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?") // Postgres stores nothing else
		c, err := json.Marshal(map[string]string{a: b})
		if err != nil {
			t.Fatal(err)
		}
		row := [][]Cell{{Cell(a), Cell(b), c}}
		for _, verbatim := range []bool{false, true} {
			text := written(t, func(w *bytes.Buffer) Writer { return CSV(w, verbatim) }, three, row)
			got, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			if err != nil || len(got) != 2 || len(got[1]) != 3 {
				t.Fatalf("%q, %v", got, err)
			}
			if at := run.FindString(text); !verbatim && at != "" {
				t.Errorf("%q is run in %q", at, text)
			}
			// RFC 4180 knows one line end.
			plain := func(s string) string { return strings.NewReplacer("\r\n", "\n", "\r", "").Replace(s) }
			for i, text := range []string{a, b} {
				if !verbatim {
					text = disarmText(text)
				}
				if read := got[1][i]; plain(read) != plain(text) {
					t.Errorf("%q is read as %q", text, read)
				}
			}
			var object map[string]string
			if err := json.Unmarshal([]byte(got[1][2]), &object); err != nil || !reflect.DeepEqual(object, map[string]string{a: b}) {
				t.Errorf("%q is read as %v, %v", c, object, err)
			}
		}
		var got map[string]any
		line := written(t, func(w *bytes.Buffer) Writer { return JSONLines(w) }, three, row)
		if err := json.Unmarshal([]byte(line), &got); err != nil || !reflect.DeepEqual(got, map[string]any{"a": a, "b": b, "c": map[string]any{a: b}}) || strings.Count(line, "\n") != 1 {
			t.Errorf("%q: %v, %v", line, got, err)
		}
	})
}
