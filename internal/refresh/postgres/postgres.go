// Package postgres keeps refresh requests and charge permissions: the two round
// trips of a refresh, wake-ups, imports and announcements.
package postgres

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"walletsync/internal/pg"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// Statements are those of the package.
//
//go:embed sql/*.sql
var Statements embed.FS

var (
	sqlInbox    = pg.Statement(Statements, "inbox")
	sqlLock     = pg.Statement(Statements, "lock")
	sqlWant     = pg.Statement(Statements, "want")
	sqlAsk      = pg.Statement(Statements, "ask")
	sqlClaim    = pg.Statement(Statements, "claim")
	sqlTake     = pg.Statement(Statements, "take")
	sqlClaimed  = pg.Statement(Statements, "claimed")
	sqlFence    = pg.Statement(Statements, "fence")
	sqlCommit   = pg.Statement(Statements, "commit")
	sqlUncalled = pg.Statement(Statements, "uncalled")
	sqlClose    = pg.Statement(Statements, "close")
	sqlWake     = pg.Statement(Statements, "wake")
	sqlBacklog  = pg.Statement(Statements, "backlog")
)

// Store is a refresh.Store.
type Store struct{ db *pg.DB }

// New returns the store in a database.
func New(db *pg.DB) *Store { return &Store{db} }

// Claim is the first round trip of refresh.Store. Repeated with the same lease
// after an unknown outcome, it returns what that lease holds.
func (s *Store) Claim(ctx context.Context, q refresh.ClaimRequest) (refresh.Claimed, error) {
	var out refresh.Claimed
	err := s.db.RoundTripRetry(ctx, func(b *pgx.Batch, again bool) {
		out = refresh.Claimed{Outcomes: map[string]int{}}
		now := s.db.Now()
		if len(q.Asks) > 0 {
			queueAsks(b, q, now, &out)
		}
		var account, id *string
		if w := q.Want; w != nil {
			account, id = (*string)(&w.Account), (*string)(&w.ChargePermission)
			queueWant(b, q, now, &out)
		} else {
			for _, a := range q.Accounts {
				b.Queue(sqlClaim, a, q.Limit, q.Lease.String(), q.Settings.Lease.Seconds(), now)
			}
		}
		b.Queue(sqlClaimed, q.Lease.String(), q.Margin.Seconds(), now, account, id).Query(func(rows pgx.Rows) error {
			return scanClaims(rows, &out)
		})
		s.queueWakes(b, q.Accounts, q.Woken, q.Force || again, q.Lease, now, &out.Wakes)
	})
	if err != nil {
		return refresh.Claimed{}, err
	}
	if w := q.Want; w != nil && slices.ContainsFunc(out.Claims, func(c refresh.Claim) bool { return c.Account == w.Account && c.ID == w.ChargePermission }) {
		out.Covered = false // no row was raised because the lease holds it already
	}
	return out, nil
}

func queueAsks(b *pgx.Batch, q refresh.ClaimRequest, now *time.Time, out *refresh.Claimed) {
	n := len(q.Asks)
	ids, accounts, notifications := make([]string, n), make([]string, n), make([]string, n)
	objectTypes, objects, permissions, types := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	published, arrived := make([]time.Time, n), make([]time.Time, n)
	delays, priorities, inferred := make([]float64, n), make([]int32, n), make([]bool, n)
	for i, a := range q.Asks {
		ids[i], accounts[i], notifications[i] = a.MessageID, string(a.Account), a.NotificationID
		objectTypes[i], objects[i], permissions[i], types[i] = a.ObjectType, a.ObjectID, string(a.ChargePermission), a.Type
		published[i], arrived[i] = a.Published, a.Arrived
		delays[i], priorities[i], inferred[i] = a.Delay.Seconds(), int32(a.Priority), a.Inferred
	}
	b.Queue(sqlInbox, ids, accounts, notifications, objectTypes, objects, permissions, types, published, arrived, now, inferred).
		Query(func(rows pgx.Rows) error {
			var outcome string // empty: it names a charge permission, and want.sql decides
			tag, err := pgx.ForEachRow(rows, []any{&outcome}, func() error {
				if outcome != "" {
					out.Outcomes[outcome]++
				}
				return nil
			})
			out.Outcomes["duplicate"] = n - int(tag.RowsAffected())
			return err
		})
	b.Queue(sqlLock, ids)
	b.Queue(sqlWant, ids, delays, priorities, q.Margin.Seconds(), now).Query(func(rows pgx.Rows) error {
		var id, outcome string
		_, err := pgx.ForEachRow(rows, []any{&id, &outcome}, func() error {
			out.Outcomes[outcome]++
			return nil
		})
		return err
	})
}

// queueWant requests a refresh of the one charge permission that is wanted at once,
// and claims it.
func queueWant(b *pgx.Batch, q refresh.ClaimRequest, now *time.Time, out *refresh.Claimed) {
	w := q.Want
	var at *time.Time
	if !w.At.IsZero() {
		at = &w.At
	}
	b.Queue(sqlAsk, w.Account, w.ChargePermission, w.Priority, at, q.Margin.Seconds(), now, q.Lease.String()).
		Exec(func(tag pgconn.CommandTag) error {
			out.Covered = tag.RowsAffected() == 0
			return nil
		})
	b.Queue(sqlTake, w.Account, w.ChargePermission, q.Lease.String(), q.Settings.Lease.Seconds(), at, q.Margin.Seconds(), now)
}

// QueueRequest queues a refresh request.
func (s *Store) QueueRequest(b *pgx.Batch, w wallet.Want) {
	b.Queue(sqlAsk, w.Account, w.ChargePermission, w.Priority, pg.NullIfZero(w.At), 0.0, s.db.Now(), nil)
}

// scanClaims reads what the lease holds, and of Want what is stored if it does
// not.
func scanClaims(rows pgx.Rows, out *refresh.Claimed) error {
	var c refresh.Claim
	var notified *time.Time
	var ours bool
	var recent []string
	var state []byte
	_, err := pgx.ForEachRow(rows, []any{&c.Account, &c.ID, &c.Priority, &c.Attempts, &c.Message, &notified, &ours, &recent, &state, &c.Erased}, func() error {
		one := c
		if notified != nil {
			one.Notified = *notified
		}
		for _, f := range recent {
			one.Recent = append(one.Recent, wallet.Facet(f))
		}
		if state != nil {
			if err := json.Unmarshal(state, &one.Stored); err != nil {
				return fmt.Errorf("stored state of %s: %w", c.ID, err)
			}
		}
		if ours {
			out.Claims = append(out.Claims, one)
		} else {
			out.Stored = one.Stored
		}
		return nil
	})
	return err
}

// queueWakes asks for each account whether a wake-up is needed. A trip made
// again forces the decision: the first may have noted a wake-up as under way,
// and the answer, that it was to be sent, was lost.
func (s *Store) queueWakes(b *pgx.Batch, accounts []wallet.AccountID, woken []wallet.Wake, force bool, unlessHeld refresh.Lease, now *time.Time, out *[]refresh.Wake) {
	var lease *string
	if unlessHeld != (refresh.Lease{}) {
		id := unlessHeld.String()
		lease = &id
	}
	for _, a := range accounts {
		var times []time.Time
		for _, w := range woken {
			if w.Account == a {
				times = append(times, w.At)
			}
		}
		pg.Append(b, out, func(row pgx.CollectableRow) (w refresh.Wake, err error) {
			var seconds int
			err = row.Scan(&w.Account, &w.At, &seconds)
			w.Delay = time.Duration(seconds) * time.Second
			return w, err
		}, sqlWake, a, lease, force, times, now)
	}
}

// Backlog decides on an account's wake-up as the last transaction of a batch
// does, and returns what waits.
func (s *Store) Backlog(ctx context.Context, account wallet.AccountID) (refresh.Backlog, []refresh.Wake, error) {
	var backlogs []refresh.Backlog
	var wakes []refresh.Wake
	err := s.db.RoundTripRetry(ctx, func(b *pgx.Batch, again bool) {
		backlogs, wakes = nil, nil
		now := s.db.Now()
		s.queueWakes(b, []wallet.AccountID{account}, nil, again, refresh.Lease{}, now, &wakes)
		queueBacklogs(b, []wallet.AccountID{account}, now, &backlogs)
	})
	if err != nil {
		return refresh.Backlog{}, nil, err
	}
	if len(backlogs) == 0 {
		return refresh.Backlog{}, nil, pg.MissingAccount(account)
	}
	return backlogs[0], wakes, nil
}

// queueBacklogs asks what waits in each account.
func queueBacklogs(b *pgx.Batch, accounts []wallet.AccountID, now *time.Time, out *[]refresh.Backlog) {
	for _, a := range accounts {
		pg.Append(b, out, func(row pgx.CollectableRow) (l refresh.Backlog, err error) {
			var seconds float64
			err = row.Scan(&l.Account, &l.Tokens, &seconds)
			l.Oldest = time.Duration(seconds * float64(time.Second)).Round(time.Microsecond)
			return l, err
		}, sqlBacklog, a, now)
	}
}

// Commit is the second round trip of refresh.Store. Repeated after an unknown
// outcome it changes nothing: the leases are free by then.
//
// If the server refuses the data of one result, the others are stored all the
// same, each in a trip of its own, and that one with what Amazon Pay sent as a
// text: JSON can hold what jsonb cannot, such as a number of a million digits. If
// that is refused too, it is recorded as failed.
func (s *Store) Commit(ctx context.Context, q refresh.CommitRequest) (refresh.Committed, error) {
	out, err := s.commit(ctx, q)
	if err == nil || !pg.Unstorable(err) {
		return out, err
	}
	out = refresh.Committed{}
	for i, r := range q.Results {
		one := q
		one.Results = []refresh.Result{r}
		if i < len(q.Results)-1 {
			one.Accounts, one.Closings, one.Refusals = nil, nil, nil // the last one decides on wake-ups and pauses
		}
		got, err := s.commit(ctx, one)
		if err != nil && pg.Unstorable(err) && len(r.Raw) > 0 {
			if r.Raw, err = json.Marshal(string(r.Raw)); err != nil {
				return out, err
			}
			one.Results = []refresh.Result{r}
			got, err = s.commit(ctx, one)
		}
		if err != nil && pg.Unstorable(err) {
			r.Kind, r.Error, r.Backoff = refresh.Failed, fmt.Sprintf("the database refuses what Amazon Pay returned: %v", err), refresh.MostBackoff
			r.State, r.Raw, r.Changes = wallet.ChargePermission{}, nil, nil
			one.Results = []refresh.Result{r}
			got, err = s.commit(ctx, one)
		}
		if err != nil {
			return out, err
		}
		out.Settled = append(out.Settled, got.Settled...)
		out.Wakes = append(out.Wakes, got.Wakes...)
		out.Backlogs = append(out.Backlogs, got.Backlogs...)
		out.Refused = append(out.Refused, got.Refused...)
	}
	return out, nil
}

func (s *Store) commit(ctx context.Context, q refresh.CommitRequest) (refresh.Committed, error) {
	called := slices.DeleteFunc(slices.Clone(q.Results), func(r refresh.Result) bool { return r.Kind == refresh.NotCalled })
	results, err := encodeResults(called)
	if err != nil {
		return refresh.Committed{}, fmt.Errorf("results: %w", err)
	}
	var out refresh.Committed
	err = s.db.RoundTripRetry(ctx, func(b *pgx.Batch, again bool) {
		out = refresh.Committed{}
		now := s.db.Now()
		b.Queue(sqlFence, q.Lease.String())
		pg.Append(b, &out.Settled, func(row pgx.CollectableRow) (t refresh.Settled, err error) {
			err = row.Scan(&t.Account, &t.ID, &t.Stored, &t.Confirm, &t.Early, &t.Withheld)
			return t, err
		}, sqlCommit, q.Lease.String(), results, q.Margin.Seconds(), q.ConfirmAfter().Seconds(), refresh.MaxConfirms, now)
		// The quota rows are locked in key order: all of an account before the next.
		for _, a := range concerned(q) {
			queueUncalled(b, q, a, &out)
			s.queueOutcomes(b, q, a, &out)
			if slices.Contains(q.Accounts, a) {
				s.queueWakes(b, []wallet.AccountID{a}, q.Woken, q.Force || again, refresh.Lease{}, now, &out.Wakes)
			}
		}
		queueBacklogs(b, q.Accounts, now, &out.Backlogs)
	})
	if err != nil {
		return refresh.Committed{}, err
	}
	return out, nil
}

// concerned returns the accounts whose quota rows a commit may change, in key
// order.
func concerned(q refresh.CommitRequest) []wallet.AccountID {
	out := slices.Clone(q.Accounts)
	for _, r := range q.Results {
		out = append(out, r.Account)
	}
	for _, c := range q.Closings {
		out = append(out, c.Account)
	}
	for _, r := range q.Refusals {
		out = append(out, r.Account)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// queueUncalled returns the tokens of an account's calls that were not made.
func queueUncalled(b *pgx.Batch, q refresh.CommitRequest, a wallet.AccountID, out *refresh.Committed) {
	var ids, errs []string
	for _, r := range q.Results {
		if r.Account == a && r.Kind == refresh.NotCalled {
			ids, errs = append(ids, string(r.ID)), append(errs, r.Error)
		}
	}
	if len(ids) == 0 {
		return
	}
	pg.Append(b, &out.Settled, func(row pgx.CollectableRow) (t refresh.Settled, err error) {
		t.Account = a
		err = row.Scan(&t.ID)
		return t, err
	}, sqlUncalled, q.Lease.String(), a, ids, errs)
}

// queueOutcomes records the outcomes of an account's calls, and pauses its calls if
// they must pause.
func (s *Store) queueOutcomes(b *pgx.Batch, q refresh.CommitRequest, a wallet.AccountID, out *refresh.Committed) {
	o := wallet.CallOutcomes{Account: a, Call: wallet.GetChargePermission}
	for _, c := range q.Closings {
		if c.Account == a && (o.Pause == nil || c.For > *o.Pause) {
			o.Pause, o.Reason = &c.For, c.Why
		}
	}
	for _, r := range q.Refusals {
		if r.Account == a {
			o.Refused, o.Answered = r.IDs, r.Answered
		}
	}
	if o.Pause == nil && len(o.Refused) == 0 && !o.Answered {
		return
	}
	s.QueueCallOutcomes(b, o, func(refused bool) {
		if refused {
			out.Refused = append(out.Refused, a)
		}
	})
}

// QueueCallOutcomes records the outcomes of an account's calls. It calls paused with
// true if calls pause because several ids in a row were refused.
func (s *Store) QueueCallOutcomes(b *pgx.Batch, o wallet.CallOutcomes, paused func(bool)) {
	var seconds *float64
	if o.Pause != nil {
		seconds = new(o.Pause.Seconds())
	}
	if o.Refused == nil {
		o.Refused = []string{}
	}
	b.Queue(sqlClose, o.Account, o.Call, seconds, o.Reason, s.db.Now(), o.Refused, o.Answered, wallet.MaxRefused, wallet.ReasonRefused, wallet.RefusedPause.Seconds()).
		Query(func(rows pgx.Rows) error {
			var refused bool
			_, err := pgx.ForEachRow(rows, []any{&refused}, func() error {
				paused(refused)
				return nil
			})
			return err
		})
}

// resultRow is a result as commit.sql reads it.
type resultRow struct {
	Account           wallet.AccountID          `json:"account"`
	ID                wallet.ChargePermissionID `json:"id"`
	Kind              refresh.Kind              `json:"kind"`
	ContradictsRecent bool                      `json:"contradicts_recent"`
	ReadAt            time.Time                 `json:"read_at,omitzero"`
	RequestID         string                    `json:"request_id"`
	Cause             wallet.Cause              `json:"cause"`
	Message           string                    `json:"message_id"`
	Backoff           float64                   `json:"backoff"`
	Error             *string                   `json:"error"`
	State             *wallet.ChargePermission  `json:"state,omitempty"`
	Changes           []wallet.Change           `json:"changes"`
}

// encodeResults returns the results as commit.sql reads them. What Amazon sent
// is put in as it is: it was read as JSON, and is most of the text.
func encodeResults(results []refresh.Result) (string, error) {
	var out strings.Builder
	out.WriteByte('[')
	for i, r := range results {
		if i > 0 {
			out.WriteByte(',')
		}
		row := resultRow{
			Account: r.Account, ID: r.ID, Kind: r.Kind, ContradictsRecent: r.ContradictsRecent, ReadAt: r.ReadAt, RequestID: r.RequestID,
			Cause: wallet.CauseOf(r.Priority), Message: r.Message, Backoff: r.Backoff.Seconds(),
			Changes: r.Changes,
		}
		if row.Changes == nil {
			row.Changes = []wallet.Change{}
		}
		if r.Error != "" {
			row.Error = &r.Error
		}
		if r.Kind == refresh.Read || r.Kind == refresh.NotFollowed {
			row.State = &results[i].State
		}
		encoded, err := json.Marshal(row)
		if err != nil {
			return "", err
		}
		out.Write(bytes.TrimSuffix(encoded, []byte("}")))
		if len(r.Raw) > 0 {
			out.WriteString(`,"raw":`)
			out.Write(r.Raw)
		}
		out.WriteByte('}')
	}
	out.WriteByte(']')
	return out.String(), nil
}
