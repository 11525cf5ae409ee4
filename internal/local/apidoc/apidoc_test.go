package apidoc

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

type order struct {
	Name  string    `json:"name"`
	Note  string    `json:"note,omitempty"`
	At    time.Time `json:"at"`
	Place *place    `json:"place,omitempty"`
}

type receipt struct {
	Total *total `json:"total"` // null until it is paid
}

type total struct {
	Cents int `json:"cents"`
}

type place struct {
	City string `json:"city"`
}

type problem struct {
	Code string `json:"code"`
}

func described() Description {
	most := uint64(5)
	return Description{
		Info: openapi3.Info{Title: "orders", Version: "1"}, Strict: true,
		Operations: []Operation{{Method: http.MethodPost, Path: "/orders", ID: "order", Request: order{}, Answers: []Answer{
			{Status: http.StatusCreated, Model: order{}},
			{Status: http.StatusConflict, Model: problem{}, Codes: []string{"sold_out"}, ContentType: "application/problem+json"},
			{Status: http.StatusAccepted, Model: receipt{}},
			{Status: http.StatusMultiStatus, ContentType: "application/json"},
		}}},
		Members: map[string]Member{
			"Order": {Says: "o"}, "Order.name": {Says: "n", Limit: func(s *openapi3.Schema) { s.MaxLength = &most }}, "Order.note": {Says: "n"},
			"Order.at": {Says: "a"}, "Order.place": {Says: "p"}, "Place": {Says: "p"}, "Place.city": {Says: "c"},
			"Receipt": {Says: "r"}, "Receipt.total": {Says: "t"}, "Total": {Says: "t"}, "Total.cents": {Says: "c"},
			"Problem": {Says: "p"}, "Problem.code": {Says: "c"},
		},
	}
}

func TestEveryMemberIsDescribedAndNothingElse(t *testing.T) {
	for _, name := range []string{"Order", "Order.note", "Order.place", "Place.city", "Problem.code"} {
		d := described()
		delete(d.Members, name)
		if _, err := d.Document(); err == nil || !strings.Contains(err.Error(), "not described: "+name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	d := described()
	d.Members["Order.price"] = Member{Says: "p"}
	if _, err := d.Document(); err == nil || !strings.Contains(err.Error(), "not there: Order.price") {
		t.Error(err)
	}
	d = described()
	d.Members["Order.note"] = Member{}
	if _, err := d.Document(); err == nil {
		t.Error("a member without a text is taken for described")
	}
}

func file(t *testing.T) []byte {
	t.Helper()
	doc, err := described().Document()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Encode(doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheSameTypesGiveTheSameFile(t *testing.T) {
	if !bytes.Equal(file(t), file(t)) {
		t.Error("two descriptions of the same types differ")
	}
}

func TestRequestsAndAnswersAreHeldToTheDescription(t *testing.T) {
	c, err := NewChecker(file(t))
	if err != nil {
		t.Fatal(err)
	}
	q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/orders", nil)
	q.Header.Set("Content-Type", "application/json")
	const good = `{"name":"Ada","at":"2026-02-03T04:05:06Z","place":{"city":"Berlin"}}`
	for body, fits := range map[string]bool{
		good: true, `{"name":"Ada"}`: false, `{"name":"Ada Ada","at":"2026-02-03T04:05:06Z"}`: false,
		`{"name":"Ada","at":"2026-02-03T04:05:06Z","price":1}`: false, `{"name":"Ada","at":"2026-02-03T04:05:06Z","place":{}}`: false, `x`: false,
	} {
		if err := c.Request(t.Context(), q, []byte(body)); (err == nil) != fits {
			t.Errorf("%s: %v", body, err)
		}
	}
	for _, a := range []struct {
		status            int
		contentType, body string
		fits              bool
	}{
		{http.StatusCreated, "application/json", good, true},
		{http.StatusCreated, "text/html", good, false},
		{http.StatusCreated, "application/json", `{"name":1}`, false},
		{http.StatusOK, "application/json", good, false},
		{http.StatusAccepted, "application/json", `{"total":null}`, true},
		{http.StatusAccepted, "application/json", `{"total":{"cents":1}}`, true},
		{http.StatusAccepted, "application/json", `{"total":{}}`, false},
		{http.StatusAccepted, "application/json", `{}`, false},
		{http.StatusCreated, "application/json", `{"name":"Ada","at":"2026-02-03T04:05:06Z","place":null}`, false},
		{http.StatusMultiStatus, "application/json", `{"any":"object"}`, true},
		{http.StatusMultiStatus, "application/json", `[]`, false},
		{http.StatusConflict, "application/problem+json", `{"code":"sold_out"}`, true},
		{http.StatusConflict, "application/problem+json", `{"code":"other"}`, false},
	} {
		if err := c.Answer(t.Context(), q, a.status, http.Header{"Content-Type": {a.contentType}}, []byte(a.body)); (err == nil) != a.fits {
			t.Errorf("%d %s: %v", a.status, a.body, err)
		}
	}
}

func TestTriesAreAtAndBeyondEachLimit(t *testing.T) {
	c, err := NewChecker(file(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Tries(http.MethodPost, "/orders", order{Name: "Ada"}); err == nil {
		t.Error("an example without a member is taken")
	}
	tries, err := c.Tries(http.MethodPost, "/orders", order{Name: "Ada", Note: "x", Place: &place{"Berlin"}})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/orders", nil)
	q.Header.Set("Content-Type", "application/json")
	for _, try := range tries {
		names[try.Name] = true
		if err := c.Request(t.Context(), q, try.Body); (err == nil) != try.Valid {
			t.Errorf("%s: %s: %v", try.Name, try.Body, err)
		}
	}
	for _, want := range []string{"name: missing", "name: the longest", "name: too long", "unknownMember: unknown", "place.city: missing", "place: a text for an object"} {
		if !names[want] {
			t.Errorf("nothing tries %q", want)
		}
	}
}
