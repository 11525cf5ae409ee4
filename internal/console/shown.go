package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"walletsync/internal/console/view"
)

// shown is what templates see: the model, the texts and the user.
type shown struct {
	V        any
	Text     *texts
	Language string
	Title    string
	Nav      string // the entry of the navigation
	Base     string
	Here     string // the address of this page
	Who      view.Identity
	SignedIn bool
	Now      time.Time
	location *time.Location
}

// item is a part of a page's model, with what the page knows.
type item struct {
	*shown
	X any
}

// Of returns the item for a template that shows a part of the model.
func (s *shown) Of(x any) item { return item{s, x} }

// Languages returns the other languages.
func (s *shown) Languages() []struct{ Tag, Name string } {
	var others []struct{ Tag, Name string }
	for _, tag := range languages {
		if tag != s.Language {
			others = append(others, struct{ Tag, Name string }{tag, translations[tag].Language})
		}
	}
	return others
}

// Act reports whether the user may make changes, and Read whether the user may see
// personal data.
func (s *shown) Act() bool  { return s.Who.Role >= view.RoleAct }
func (s *shown) Read() bool { return s.Who.Role >= view.RoleRead }

// Updates returns what a buyer can be asked to change.
func (s *shown) Updates() []string { return updates }

// Filters returns the lists.
func (s *shown) Filters() []view.Filter { return view.Filters() }

// Word returns the text for a word of walletsync or Amazon Pay, or the word itself.
func (s *shown) Word(in map[string]string, word any) string {
	w := deref(word)
	if text, ok := in[w]; ok {
		return text
	}
	return w
}

// deref returns a string or the string that a pointer points to.
func deref(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case *string:
		if v != nil {
			return *v
		}
	case view.Filter:
		return string(v)
	}
	return ""
}

// moment is a time in three formats.
type moment struct{ ISO, Date, Ago string }

// Time returns a time as pages show it, nil for none.
func (s *shown) Time(v any) *moment {
	var t time.Time
	switch v := v.(type) {
	case time.Time:
		t = v
	case *time.Time:
		if v != nil {
			t = *v
		}
	}
	if t.IsZero() {
		return nil
	}
	return &moment{ISO: t.UTC().Format(time.RFC3339), Date: t.In(s.location).Format(s.Text.TimeFormat), Ago: s.ago(t)}
}

func (s *shown) ago(t time.Time) string {
	d := s.Now.Sub(t)
	if d > -time.Minute && d < time.Minute {
		return s.Text.JustNow
	}
	if d < 0 {
		return strings.Replace(s.Text.In, "%s", s.duration(-d), 1)
	}
	return strings.Replace(s.Text.Ago, "%s", s.duration(d), 1)
}

// duration formats a duration in its largest unit.
func (s *shown) duration(d time.Duration) string {
	u := s.Text.Units
	days := int(d / (24 * time.Hour))
	switch {
	case d < time.Second && d > 0:
		return strconv.Itoa(int(d.Milliseconds())) + u.Millisecond
	case d < 10*time.Second:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + u.Second
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + u.Second
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + u.Minute
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + u.Hour
	case days < 730:
		return strconv.Itoa(days) + u.Day
	}
	return strconv.Itoa(days/365) + u.Year
}

// Zone returns the name of the time zone.
func (s *shown) Zone() string { return s.Now.In(s.location).Format("MST") }

// Number formats a count with separated thousands.
func (s *shown) Number(v any) string {
	n, ok := v.(int)
	if p, isPointer := v.(*int); isPointer && p != nil {
		n, ok = *p, true
	}
	if !ok {
		return "–"
	}
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Fill puts a value into a text.
func (s *shown) Fill(text string, v any) string { return strings.Replace(text, "%s", fmt.Sprint(v), 1) }

// Standing rates a charge permission: good, wait or bad.
func (s *shown) Standing(chargeable *bool, requiredAction *string) string {
	switch {
	case chargeable == nil || *chargeable:
		return "good"
	case deref(requiredAction) == "wait":
		return "wait"
	}
	return "bad"
}

// Charge returns a short text on whether a charge permission can be charged.
func (s *shown) Charge(r view.Row) string {
	switch {
	case r.Chargeable == nil:
		return s.Text.NotRead
	case *r.Chargeable:
		return s.Text.CanCharge
	case deref(r.State) == "Closed":
		return s.Text.States["closed"]
	}
	return s.Text.CannotCharge
}

// Path returns the address of a charge permission's page.
func (s *shown) Path(account, id string) string {
	return s.Base + "/charge-permissions/" + account + "/" + id
}

// Lines returns an address as on an envelope: the person first, then from the
// street to the country.
func (s *shown) Lines(a *view.Address) []string {
	var lines []string
	add := func(parts ...*string) {
		var some []string
		for _, p := range parts {
			if t := strings.TrimSpace(deref(p)); t != "" {
				some = append(some, t)
			}
		}
		if len(some) > 0 {
			lines = append(lines, strings.Join(some, " "))
		}
	}
	if a == nil {
		return nil
	}
	if deref(a.CountryCode) == "JP" {
		// Japan Post: from the postal code down to the house, the person last.
		if a.PostalCode != nil {
			post := "〒" + *a.PostalCode
			add(&post)
		}
		add(a.StateOrRegion, a.City, a.County, a.District)
		add(a.Line1)
		add(a.Line2)
		add(a.Line3)
		add(a.Name)
		return lines
	}
	add(a.Name)
	add(a.Line1)
	add(a.Line2)
	add(a.Line3)
	add(a.District)
	add(a.PostalCode, a.City)
	add(a.County)
	add(a.StateOrRegion)
	add(a.CountryCode)
	return lines
}

// Label returns the text for a field.
func (s *shown) Label(d view.Difference) string {
	if text, ok := s.Text.Fields[d.Facet+"."+d.Field]; ok {
		return text
	}
	return s.Word(s.Text.Fields, d.Field)
}

// Value returns a field's value as text.
func (s *shown) Value(d view.Difference, v *string) string {
	switch {
	case v == nil:
		return ""
	case d.Facet == "state" && d.Field == "state":
		return s.Word(s.Text.AmazonStates, v)
	case d.Facet == "expiry":
		if t, err := time.Parse(time.RFC3339, *v); err == nil {
			return t.In(s.location).Format(s.Text.TimeFormat)
		}
	}
	return *v
}
