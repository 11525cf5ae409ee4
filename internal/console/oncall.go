package console

import (
	"cmp"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/console/view"
)

// deadLetterID is the form of a message's id in the queue; SQS has UUIDs.
var deadLetterID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// maxDeadLetters is how many dead-letter messages a page shows. Ten take one call
// to SQS.
const maxDeadLetters = 50

// failures answers with dead-letter messages and failing reads.
func (c *console) failures(w http.ResponseWriter, q *http.Request) {
	v, ok := c.readFailures(w, q)
	if !ok {
		return
	}
	if !WantsJSON(q) {
		if n, err := strconv.Atoi(q.URL.Query().Get("retried")); err == nil && n >= 0 {
			v.Retried = &n
		}
		v.Missing = q.URL.Query().Get("missing") == "1"
	}
	c.show(w, q, http.StatusOK, v)
}

func (c *console) readFailures(w http.ResponseWriter, q *http.Request) (v view.Failures, ok bool) {
	var err error
	if v.DeadLetters, err = c.DeadLetters.List(q.Context(), maxDeadLetters); err != nil {
		c.failed(w, q, "dead-letter messages", err)
		return v, false
	}
	if v.Total, err = c.DeadLetters.Count(q.Context()); err != nil {
		c.failed(w, q, "dead-letter messages", err)
		return v, false
	}
	v.Total = max(v.Total, len(v.DeadLetters)) // SQS's count is approximate
	if masked(q) {
		for i := range v.DeadLetters {
			v.DeadLetters[i].Body = nil
		}
	}
	rows, next, err := c.Store.List(q.Context(), masked(q), view.ListQuery{Filter: view.Failing, Most: pageSize})
	if err != nil {
		c.failed(w, q, "failing", err)
		return v, false
	}
	v.Failing, v.MoreFailing = rows, next != view.Cursor{}
	return v, c.logAccess(w, q, view.Access{What: "listed", Detail: "failures"})
}

// retry sends one dead-letter message, or all, to the main queue.
func (c *console) retry(w http.ResponseWriter, q *http.Request) {
	var form retryRequest
	if !c.readForm(w, q, &form) {
		return
	}
	id, all := form.ID, form.All == "1"
	if (id == "") != all || id != "" && !deadLetterID.MatchString(id) {
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
		var found bool
		if found, err = c.DeadLetters.Retry(q.Context(), id); found {
			n = 1
		}
		missing = !found
	}
	if err != nil {
		c.failed(w, q, "retry", err)
		return
	}
	zerolog.Ctx(q.Context()).Info().Int("messages", n).Msg("dead-letter messages retried")
	if !WantsJSON(q) {
		if missing {
			c.redirect(w, "/failures?missing=1")
			return
		}
		c.redirect(w, "/failures?retried="+strconv.Itoa(n))
		return
	}
	v, ok := c.readFailures(w, q)
	if !ok {
		return
	}
	v.Retried, v.Missing = &n, missing
	WriteJSON(w, http.StatusOK, v)
}

// spans are the periods that the overview covers.
var spans = map[string]time.Duration{"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour}

// overview answers with the state of all accounts and the hours before.
func (c *console) overview(w http.ResponseWriter, q *http.Request) {
	span := cmp.Or(q.FormValue("span"), "24h")
	length, known := spans[span]
	if !known {
		c.problem(w, q, badRequest)
		return
	}
	now := c.Now().UTC()
	// Whole hours: the current one, and those before it.
	from := now.Truncate(time.Hour).Add(time.Hour - length)
	v, err := c.Store.Overview(q.Context(), from, c.GracePeriod)
	if err != nil {
		c.failed(w, q, "overview", err)
		return
	}
	v.Span, v.From, v.To = span, from, now
	if n, err := c.DeadLetters.Count(q.Context()); err == nil {
		v.DeadLetters = &n
	} else {
		// The rest is shown: the engineer on call needs it all the more.
		zerolog.Ctx(q.Context()).Error().Err(err).Msg("count dead-letter messages")
	}
	c.show(w, q, http.StatusOK, v)
}
