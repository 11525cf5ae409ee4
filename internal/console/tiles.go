package console

import (
	"strings"
	"time"

	"walletsync/internal/console/view"
)

// StateWords are the states of the search form.
func (s *shown) StateWords() []string { return []string{"chargeable", "not_chargeable", "closed"} }

// SpanWords are the periods of the overview.
func (s *shown) SpanWords() []string { return []string{"24h", "7d"} }

// Count is the number of rows, with a plus if there are more pages.
func (s *shown) Count() string {
	v := s.V.(view.Search)
	n := s.Number(len(v.Rows))
	if v.Next != "" {
		n += "+"
	}
	return n
}

// Last returns the newest change after the first read. It is nil if there is none,
// or if the page shows older changes only.
func (s *shown) Last() *view.Change {
	v := s.V.(recordPage)
	if v.Older || len(v.Timeline) == 0 || v.Timeline[0].Facet == "first_read" {
		return nil
	}
	return &v.Timeline[0]
}

// StandingOf and ChargeOf are Standing and Charge for a payment state.
func (s *shown) StandingOf(p *view.PaymentState) string {
	return s.Standing(&p.Chargeable, &p.RequiredAction)
}

func (s *shown) ChargeOf(p *view.PaymentState) string {
	return s.Charge(view.Row{Chargeable: &p.Chargeable, State: p.State})
}

// FailingRows returns the rows of the failures page as a list.
func (s *shown) FailingRows() view.List {
	return view.List{Filter: view.Failing, Rows: s.V.(view.Failures).Failing}
}

// tile is one figure of the current state.
type tile struct {
	Name, Value, More, URL string
	Standing               string // good, wait, bad; empty: neither
}

// oldestWait and oldestBad are the ages of a pending read from which a tile warns: a
// confirmation takes seconds, and the reconciler runs every five minutes.
const (
	oldestWait = 5 * time.Minute
	oldestBad  = time.Hour
)

// channels rates the health of an account's notifications.
var channels = map[string]string{"alive": "good", "untested": "wait", "doubtful": "wait", "dead": "bad"}

// Tiles returns the current state. What needs attention has a link.
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
			calls.Value, calls.Standing = t.CallsRest+t.Colon+s.ago(*a.ClosedUntil), "bad"
			calls.More = strings.TrimSpace(of + " " + deref(a.ClosedWhy))
		}
		channel := tile{Name: t.Channel, Value: t.Channels[a.Channel], More: of, Standing: channels[a.Channel]}
		if m := s.Time(a.MissingSince); m != nil {
			channel.More = t.ChannelMissing + t.Colon + s.Number(a.MissingNotifications) + t.Comma + m.Ago + " · " + of
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

// columns are the table's columns.
var columns = []string{"notifications", "changes", "lag_p50", "lag_p95", "failing", "quota", "oldest"}

// Columns returns the table's headings.
func (s *shown) Columns() []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = s.Text.ChartColumns[c]
	}
	return out
}

// Table returns the charts' values, the newest hour first.
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
