package backoffice

import (
	"cmp"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/backoffice/answer"
	"walletsync/internal/backoffice/view"
)

// letterID is what the queue may call a message; SQS has UUIDs.
var letterID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// shownLetters is how many dead letters a page shows: each ten are a call.
const shownLetters = 50

// failures answers with what failed.
func (c *console) failures(w http.ResponseWriter, q *http.Request) {
	v, ok := c.readFailures(w, q)
	if !ok {
		return
	}
	if !answer.JSON(q) {
		if n, err := strconv.Atoi(q.URL.Query().Get("retried")); err == nil && n >= 0 {
			v.Retried = &n
		}
		v.Missing = q.URL.Query().Get("missing") == "1"
	}
	c.show(w, q, http.StatusOK, v)
}

func (c *console) readFailures(w http.ResponseWriter, q *http.Request) (v view.Failures, ok bool) {
	var err error
	if v.DeadLetters, err = c.DeadLetters.List(q.Context(), shownLetters); err != nil {
		c.failed(w, q, "dead letters", err)
		return v, false
	}
	if v.Total, err = c.DeadLetters.Count(q.Context()); err != nil {
		c.failed(w, q, "dead letters", err)
		return v, false
	}
	v.Total = max(v.Total, len(v.DeadLetters)) // SQS's count is roughly right
	if masked(q) {
		for i := range v.DeadLetters {
			v.DeadLetters[i].Body = nil
		}
	}
	rows, next, err := c.Store.List(q.Context(), masked(q), view.ListQuery{Filter: view.Failing, Most: most})
	if err != nil {
		c.failed(w, q, "failing", err)
		return v, false
	}
	v.Failing, v.MoreFailing = rows, next != view.Cursor{}
	return v, c.logAccess(w, q, view.Access{What: "listed", Detail: "failures"})
}

// retry sends dead letters to the queue again: the one that is named, or all.
func (c *console) retry(w http.ResponseWriter, q *http.Request) {
	if err := readForm(q); err != nil {
		c.problem(w, q, badRequest)
		return
	}
	id, all := q.PostFormValue("id"), q.PostFormValue("all") == "1"
	if (id == "") != all || id != "" && !letterID.MatchString(id) {
		c.problem(w, q, badRequest)
		return
	}
	if !c.logAccess(w, q, view.Access{What: "retried", Detail: cmp.Or(id, "all")}) {
		return
	}
	n, missing := 0, false
	var err error
	if all {
		n, err = c.DeadLetters.RetryAll(q.Context())
	} else {
		var there bool
		if there, err = c.DeadLetters.Retry(q.Context(), id); there {
			n = 1
		}
		missing = !there
	}
	if err != nil {
		c.failed(w, q, "try again", err)
		return
	}
	zerolog.Ctx(q.Context()).Info().Int("messages", n).Msg("dead letters sent to the queue again")
	if !answer.JSON(q) {
		if missing {
			c.see(w, "/failures?missing=1")
			return
		}
		c.see(w, "/failures?retried="+strconv.Itoa(n))
		return
	}
	v, ok := c.readFailures(w, q)
	if !ok {
		return
	}
	v.Retried, v.Missing = &n, missing
	answer.Write(w, http.StatusOK, v)
}

// spans are how far back the overview looks.
var spans = map[string]time.Duration{"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour}

// overview answers how all stands.
func (c *console) overview(w http.ResponseWriter, q *http.Request) {
	span := first(q, "span", "24h")
	back, known := spans[span]
	if !known {
		c.problem(w, q, badRequest)
		return
	}
	now := c.Now().UTC()
	// Whole hours: the one that is under way, and those before it.
	from := now.Truncate(time.Hour).Add(time.Hour - back)
	v, err := c.Store.Overview(q.Context(), from, c.Patience)
	if err != nil {
		c.failed(w, q, "overview", err)
		return
	}
	v.Span, v.From, v.To = span, from, now
	if n, err := c.DeadLetters.Count(q.Context()); err == nil {
		v.DeadLetters = &n
	} else {
		// The rest is shown all the same: on call one needs it the more.
		zerolog.Ctx(q.Context()).Error().Err(err).Msg("the dead letters cannot be counted just now")
	}
	c.show(w, q, http.StatusOK, v)
}
