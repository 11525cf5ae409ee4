package pages

import (
	"strings"
	"time"

	"walletsync/internal/backoffice/view"
)

// StateWords are those of the search form.
func (s *shown) StateWords() []string { return []string{"chargeable", "not_chargeable", "closed"} }

// UpdateWords are what a buyer can be asked to change.
func (s *shown) UpdateWords() []string { return []string{"payment_method", "address", "both"} }

// SpanWords are how far back the overview looks.
func (s *shown) SpanWords() []string { return []string{"24h", "7d"} }

// Count is how many a search has found, as far as is known.
func (s *shown) Count() string {
	v := s.V.(view.Search)
	n := s.Number(len(v.Rows))
	if v.Next != "" {
		n += "+"
	}
	return n
}

// Last is the newest change after the first read, nil if there is none or if the
// page does not show the newest.
func (s *shown) Last() *view.Change {
	v := s.V.(Record)
	if v.Older || len(v.Timeline) == 0 || v.Timeline[0].Facet == "first_read" {
		return nil
	}
	return &v.Timeline[0]
}

// StandingOf and ChargeOf say of a payment state what Standing and Charge say of
// a row.
func (s *shown) StandingOf(p *view.PaymentState) string {
	return s.Standing(&p.Chargeable, &p.RequiredAction)
}

// ChargeOf is whether it can be charged, in a word or two.
func (s *shown) ChargeOf(p *view.PaymentState) string {
	return s.Charge(view.Row{Chargeable: &p.Chargeable, State: p.State})
}

// FailingRows are those of the failures page, as a list.
func (s *shown) FailingRows() view.List {
	return view.List{Filter: view.Failing, Rows: s.V.(view.Failures).Failing}
}

// tile is one figure of how all stands at this moment.
type tile struct {
	Name, Value, More, URL string
	Standing               string // good, wait, bad; empty: neither
}

// Since when the longest wanted may be before somebody should look: a confirmation
// takes seconds, and a reconciler's run five minutes.
const (
	oldestWait = 5 * time.Minute
	oldestBad  = time.Hour
)

// channels are how good it is that an account's notifications come, or do not.
var channels = map[string]string{"alive": "good", "untested": "wait", "doubtful": "wait", "dead": "bad"}

// Tiles are how all stands now. What needs somebody comes with a link.
func (s *shown) Tiles() []tile {
	v, t := s.V.(view.Overview), s.Text
	dead := tile{Name: t.DeadNow, Value: t.Unknown, Standing: "wait", URL: s.Base + "/failures"}
	if v.DeadLetters != nil {
		dead.Value, dead.Standing = s.Number(v.DeadLetters), "good"
		if *v.DeadLetters > 0 {
			dead.Standing = "bad"
		}
	}
	tiles := []tile{dead}
	for _, a := range v.Accounts {
		of := a.Account + " · " + a.Environment
		oldest := tile{Name: t.Oldest, Value: t.OldestNone, More: of, Standing: "good"}
		if a.OldestWantedSince != nil {
			age := s.Now.Sub(*a.OldestWantedSince)
			oldest.Value, oldest.URL = s.duration(max(age, 0)), s.Base+"/lists/waiting"
			switch {
			case age > oldestBad:
				oldest.Standing = "bad"
			case age > oldestWait:
				oldest.Standing = "wait"
			}
		}
		failing := tile{Name: t.FailingNow, Value: s.Number(a.Failing), More: of, Standing: "good"}
		if a.Failing > 0 {
			failing.Standing, failing.URL = "wait", s.Base+"/lists/failing"
		}
		if a.Failing > 1000 {
			failing.Value, failing.Standing = "1,000+", "bad"
		}
		calls := tile{Name: t.Calls, More: of, Standing: "good", Value: s.Number(int(a.Tokens)) + " / " + s.Number(int(a.Burst))}
		if a.ClosedUntil != nil && a.ClosedUntil.After(s.Now) {
			calls.Value, calls.Standing = t.CallsRest+": "+s.ago(*a.ClosedUntil), "bad"
			calls.More = strings.TrimSpace(of + " " + deref(a.ClosedWhy))
		}
		channel := tile{Name: t.Channel, Value: t.Channels[a.Channel], More: of, Standing: channels[a.Channel]}
		if m := s.Time(a.MissingSince); m != nil {
			channel.More = t.ChannelMissing + ": " + s.Number(a.MissingNotifications) + ", " + m.Ago + " · " + of
		}
		notified := tile{Name: t.LastSeen, Value: t.Never, More: of}
		if m := s.Time(a.LastNotificationAt); m != nil {
			notified.Value, notified.More = m.Ago, m.Date+" · "+of
		}
		tiles = append(tiles, oldest, failing, calls, channel, notified)
	}
	stored := tile{Name: t.LastStored, Value: t.Never}
	if m := s.Time(v.LastChangeAt); m != nil {
		stored.Value, stored.More = m.Ago, m.Date
	}
	return append(tiles, stored)
}

// row is one hour of the table.
type row struct {
	ISO, Hour string
	Cells     []string
}

// columns are those of the table, each with what an hour has for it.
var columns = []string{"notifications", "changes", "lag_p50", "lag_p95", "failing", "quota", "oldest"}

// Columns are the table's heads.
func (s *shown) Columns() []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = s.Text.ChartColumns[c]
	}
	return out
}

// Table is what the charts draw, in figures: the newest hour first.
func (s *shown) Table() []row {
	hours := s.V.(view.Overview).Hours
	rows := make([]row, 0, len(hours))
	for i := len(hours) - 1; i >= 0; i-- {
		h := hours[i]
		rows = append(rows, row{ISO: h.Hour.UTC().Format(time.RFC3339), Hour: h.Hour.In(s.location).Format(s.Text.TimeFormat), Cells: []string{
			s.Number(h.Notifications), s.Number(h.Changes), s.seconds(h.LagP50), s.seconds(h.LagP95), s.Number(h.Failing), percent(h.QuotaUsed), s.seconds(&h.OldestWanted),
		}})
	}
	return rows
}
