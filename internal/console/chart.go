package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"walletsync/internal/console/view"
)

// The charts' dimensions, in units of their view box. They are narrow, so that
// their labels can be read on a phone.
const (
	chartWidth  = 360
	chartHeight = 170
	chartLeft   = 50
	chartRight  = 352
	chartTop    = 12
	chartBottom = 142
)

// chart is one drawing: bars or lines over hours.
type chart struct {
	ID, Name, About, Most string
	Grid                  []mark // along the left side
	Ticks                 []mark // along the bottom
	Bars                  []bar
	Lines                 []line
}

type mark struct {
	At, Label string
	Anchor    string // of a text along the bottom
}

type bar struct{ Class, X, Y, W, H string }

type line struct{ Class, D string }

// The dimensions, for the template.
func (chart) Width() int  { return chartWidth }
func (chart) Height() int { return chartHeight }
func (chart) Left() int   { return chartLeft }
func (chart) Right() int  { return chartRight }
func (chart) LabelX() int { return chartLeft - 6 }
func (chart) TickY() int  { return chartBottom + 17 }

// series has a value for each hour, or none.
type series struct {
	class string
	of    func(view.Hour) (float64, bool)
}

// Charts returns the overview's charts.
func (s *shown) Charts() []chart {
	v := s.V.(view.Overview)
	count := func(n int) (float64, bool) { return float64(n), true }
	maybe := func(f *float64) (float64, bool) {
		if f == nil {
			return 0, false
		}
		return *f, true
	}
	number := func(f float64) string { return s.Number(int(math.Round(f))) }
	seconds := func(f float64) string { return s.seconds(&f) }
	share := func(f float64) string { return percent(&f) }
	return []chart{
		s.chart(v, "notifications", number, 4, false, series{"bar", func(h view.Hour) (float64, bool) { return count(h.Notifications) }}),
		s.chart(v, "changes", number, 4, false, series{"bar", func(h view.Hour) (float64, bool) { return count(h.Changes) }}),
		s.chart(v, "lag", seconds, 1, true,
			series{"line", func(h view.Hour) (float64, bool) { return maybe(h.LagP50) }},
			series{"line upper", func(h view.Hour) (float64, bool) { return maybe(h.LagP95) }}),
		s.chart(v, "oldest", seconds, 10, false, series{"bar", func(h view.Hour) (float64, bool) { return h.OldestWanted, true }}),
		s.chart(v, "failing", number, 4, false, series{"bar trouble", func(h view.Hour) (float64, bool) { return count(h.Failing) }}),
		s.chart(v, "quota", share, 1, false, series{"bar", func(h view.Hour) (float64, bool) { return maybe(h.QuotaUsed) }}),
	}
}

// chart draws series over the hours of an overview. Its scale ends at least or
// higher.
func (s *shown) chart(v view.Overview, name string, label func(float64) string, least float64, lines bool, all ...series) chart {
	text := s.Text.ChartNames[name]
	c := chart{ID: "chart-" + name, Name: text.Title, About: text.Body}
	highest := 0.0
	for _, h := range v.Hours {
		for _, of := range all {
			if f, ok := of.of(h); ok {
				highest = max(highest, f)
			}
		}
	}
	c.Most = s.Fill(s.Text.ChartMost, label(highest))
	top := niceTop(max(highest, least))
	if name == "lag" || name == "oldest" {
		top = niceSeconds(max(highest, least))
	}
	y := func(f float64) float64 { return chartBottom - (chartBottom-chartTop)*f/top }
	for _, part := range []float64{0, 0.5, 1} {
		c.Grid = append(c.Grid, mark{At: number(y(part * top)), Label: label(part * top)})
	}
	slots := max(1, int(math.Ceil(v.To.Sub(v.From).Hours())))
	wide := float64(chartRight-chartLeft) / float64(slots)
	place := func(h time.Time) float64 { return chartLeft + wide*h.Sub(v.From).Hours() }
	c.Ticks = s.ticks(v, place)
	if !lines {
		gap := math.Min(1.5, wide/4)
		for _, h := range v.Hours {
			f, ok := all[0].of(h)
			if !ok || f <= 0 {
				continue
			}
			high := math.Max(1, chartBottom-y(f)) // visible if it is not zero
			c.Bars = append(c.Bars, bar{all[0].class, number(place(h.Hour) + gap/2), number(chartBottom - high), number(wide - gap), number(high)})
		}
		return c
	}
	for _, of := range all {
		c.Lines = append(c.Lines, line{of.class, path(v.Hours, of.of, func(h time.Time) float64 { return place(h) + wide/2 }, y)})
	}
	return c
}

// path connects the values of consecutive hours. An hour without a value leaves a
// gap, and a value between two gaps is a dot.
func path(hours []view.Hour, of func(view.Hour) (float64, bool), x func(time.Time) float64, y func(float64) float64) string {
	var d strings.Builder
	var before time.Time
	alone := false
	for _, h := range hours {
		f, ok := of(h)
		if !ok {
			continue
		}
		if !before.IsZero() && h.Hour.Sub(before) == time.Hour {
			fmt.Fprintf(&d, "L%s %s", number(x(h.Hour)), number(y(f)))
			alone = false
		} else {
			if alone {
				d.WriteString("h.01")
			}
			fmt.Fprintf(&d, "M%s %s", number(x(h.Hour)), number(y(f)))
			alone = true
		}
		before = h.Hour
	}
	if alone {
		d.WriteString("h.01")
	}
	return d.String()
}

// ticks returns the times along the bottom: every six hours of a day, or each day
// of a week, in the console's time zone.
func (s *shown) ticks(v view.Overview, place func(time.Time) float64) []mark {
	var all []mark
	for h := v.From.Truncate(time.Hour); h.Before(v.To); h = h.Add(time.Hour) {
		local := h.In(s.location)
		switch {
		case v.Span == "7d" && local.Hour() == 0:
			all = append(all, mark{number(place(h)), local.Format("2"), "start"})
		case v.Span != "7d" && local.Hour()%6 == 0:
			all = append(all, mark{number(place(h)), local.Format("15:04"), "middle"})
		}
	}
	return all
}

// niceTop rounds up to 1, 2, 4, 5 or 10 times a power of ten, half of which is a
// round number too.
func niceTop(f float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(f)))
	for _, step := range []float64{1, 2, 4, 5, 10} {
		if f <= step*power*(1+1e-9) {
			return step * power
		}
	}
	return 10 * power
}

// niceSeconds is niceTop for durations: whole seconds, minutes, hours or days, as
// is half of it.
func niceSeconds(f float64) float64 {
	for _, top := range []float64{1, 2, 4, 10, 20, 40, 60, 120, 240, 600, 1200, 2400, 3600, 2 * 3600, 4 * 3600, 12 * 3600, 24 * 3600, 48 * 3600} {
		if f <= top {
			return top
		}
	}
	return niceTop(f/(24*3600)) * 24 * 3600
}

// number formats a coordinate, to a tenth.
func number(f float64) string { return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) }

// seconds formats a duration in its largest unit.
func (s *shown) seconds(f *float64) string {
	if f == nil {
		return "–"
	}
	return s.duration(time.Duration(*f * float64(time.Second)))
}

// percent formats a fraction of one.
func percent(f *float64) string {
	if f == nil {
		return "–"
	}
	return strconv.FormatFloat(math.Round(*f*1000)/10, 'f', -1, 64) + " %"
}
