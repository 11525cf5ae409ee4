package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/fault/wire"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// trial is a test's own stack, with a proxy before its database that sees the
// worker's round trips, and a record of the calls that the twin answered.
type trial struct {
	*stack.Stack
	tb     testing.TB
	wire   *wire.Proxy
	book   *book
	ids    []string // charge permissions created so far
	margin time.Duration
	sent   int // distinct notifications published
	round  int

	restores int // of older backups; each raises the feed's counter by 2^40
}

// trialTimeout limits how long a trial waits for an event. It is longer than a busy
// machine needs.
const trialTimeout = 2 * time.Minute

// try starts a trial. Leases and visibility time-outs are short, so that the stack
// soon continues after a crash. All other settings are as deployed. If o has its own
// proxy to the database, it replaces the trial's.
func try(tb testing.TB, o stack.Options) *trial {
	tb.Helper()
	ownStacks.take(tb)
	w := &trial{tb: tb, book: &book{}}
	environment := map[string]string{"API_TIMEOUT": "1900ms", "LEASE": "2s"}
	for k, v := range o.Environment {
		environment[k] = v
	}
	o.Dir, o.NoSeed, o.Output, o.Environment = tb.TempDir(), true, w.book, environment
	_, o.PostgresInMemory = tb.(*testing.T) // benchmarks need a disk, as in production
	if o.Visibility == 0 {
		o.Visibility = 3 * time.Second
	}
	if o.DatabaseURL == nil {
		o.DatabaseURL = func(url string) (string, error) {
			var err error
			if w.wire, err = wire.Listen(url); err != nil {
				return "", err
			}
			return w.wire.URL(), nil
		}
	}
	if o.ReconcileEvery == 0 {
		o.ReconcileEvery = -1 // only when invoked: the queue alone must suffice, and the reconciler's trips look like the worker's
	}
	if o.Margin == 0 {
		o.Margin = time.Second
	}
	w.margin = o.Margin
	var err error
	w.Stack, err = stack.Start(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log("the last troubles:\n" + w.book.troubles())
		}
		if w.wire != nil {
			_ = w.wire.Close() // first, because trips that a test still holds would block the end
		}
		if err := warned(w.Stack); err != nil {
			tb.Error(err)
		}
		w.Close()
	})
	return w
}

// in returns the trial for a subtest.
func (w *trial) in(tb testing.TB) *trial {
	was := w.tb
	w.tb = tb
	tb.Cleanup(func() { w.tb = was })
	return w
}

func (w *trial) ctx() context.Context { return w.tb.Context() }

func (w *trial) until(what string, done func() (bool, error)) {
	w.tb.Helper()
	if err := stack.Until(w.ctx(), trialTimeout, what, done); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *trial) count(sql string, args ...any) (n int) {
	w.tb.Helper()
	if err := w.DB.QueryRow(w.ctx(), sql, args...).Scan(&n); err != nil {
		w.tb.Fatal(err)
	}
	return n
}

// buyers creates n charge permissions at the twin and returns their ids. With a silent
// notify there are no notifications.
func (w *trial) buyers(n int, notify twin.Notify) []string {
	w.tb.Helper()
	first := len(w.ids)
	for i := range n {
		id := permissionID(first + i)
		address := fmt.Sprintf(`{"name":"Ada Example","addressLine1":"%d Example Way","city":"Exampleton","county":null,"postalCode":"EX%d","countryCode":"GB","phoneNumber":"01632960001"}`, first+i, first+i)
		w.change(id, fmt.Sprintf(`{"buyer":{"buyerId":"amzn1.account.%d","name":"Ada Example","email":"ada%d@example.com"},"shippingAddress":%s,"billingAddress":%s,
			"paymentPreferences":[{"paymentDescriptor":"Visa ****1111 (Amazon Pay)"}],"expirationTimestamp":"20300101T000000Z",
			"limits":{"amountLimit":{"amount":"500.00","currencyCode":"EUR"},"amountBalance":{"amount":"500.00","currencyCode":"EUR"}},
			"merchantMetadata":{"merchantReferenceId":"r-%d"},"notDocumented":{"since":"today"}}`, first+i, first+i, address, address, first+i), notify)
		w.ids = append(w.ids, id)
	}
	return w.ids[first:]
}

// permissionID returns the id of a trial's n-th charge permission.
func permissionID(n int) string { return fmt.Sprintf("S01-2000000-%07d", n) }

// move changes each buyer's address and card.
func (w *trial) move(ids []string, notify twin.Notify) {
	w.tb.Helper()
	w.round++
	for i, id := range ids {
		w.change(id, fmt.Sprintf(`{"shippingAddress":{"city":"Newtown-%d-%d"},"paymentPreferences":[{"paymentDescriptor":"Visa ****%04d (Amazon Pay)"}]}`,
			w.round, i, w.round), notify)
	}
}

func (w *trial) change(id, patch string, notify twin.Notify) {
	w.tb.Helper()
	c, err := w.Twin.Change(id, []byte(patch), notify)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.sent += len(c.MessageIDs)
}

// known creates n charge permissions that were stored a day ago. So a change is not
// withheld as a lagging read, and the first read does not cover a notification with
// an old timestamp.
func (w *trial) known(n int) []string {
	w.tb.Helper()
	ids := w.buyers(n, twin.Notify{Age: time.Minute})
	w.settle()
	w.yesterday()
	return ids
}

// yesterday makes all stored rows a day older.
func (w *trial) yesterday() {
	w.tb.Helper()
	if _, err := w.DB.Exec(w.ctx(), `
		update walletsync.refreshes set read_at = read_at - interval '1 day', notified_at = notified_at - interval '1 day';
		update walletsync.charge_permissions set read_at = read_at - interval '1 day', stored_at = stored_at - interval '1 day';
		update walletsync.charge_permission_changes set stored_at = stored_at - interval '1 day'`); err != nil {
		w.tb.Fatal(err)
	}
}

// gather calls do while the queue holds its messages, waits until the receiver has
// queued all notifications, and then releases them to the worker.
func (w *trial) gather(do func()) {
	w.tb.Helper()
	w.Queue.Hold()
	before := w.Queue.Stats().Sent
	sent := w.sent
	do()
	w.until("the notifications to be in the queue", func() (bool, error) {
		return w.Queue.Stats().Sent-before >= w.sent-sent, nil
	})
	w.Queue.Release()
}

// settle waits until no message is in flight and no refresh request is open. Delayed
// wake-ups may remain; nothing needs them.
func (w *trial) settle() {
	w.tb.Helper()
	w.until("all requests to complete", func() (bool, error) {
		if err := w.Twin.Idle(w.ctx()); err != nil {
			return false, err
		}
		q := w.Queue.Stats()
		if n := q.Visible + q.InFlight; n > 0 {
			return false, fmt.Errorf("the queue still has %d messages", n)
		}
		var open string
		err := w.DB.QueryRow(w.ctx(), `select coalesce(string_agg(r::text, ' '), '') from (
			select * from walletsync.refreshes where wanted > done or lease is not null limit 3) r`).Scan(&open)
		if err == nil && open != "" {
			err = fmt.Errorf("open refresh requests: %s", open)
		}
		return err == nil, err
	})
}

// crash kills the worker's processes.
func (w *trial) crash() { w.tb.Helper(); w.kill(w.Worker) }

// kill ends a function's processes with SIGKILL and waits for their end.
func (w *trial) kill(f *lambda.Function) {
	w.tb.Helper()
	dead := f.PIDs()
	if f.Kill() == 0 {
		w.tb.Fatalf("%s has no process to kill", f.Name())
	}
	w.until("the "+f.Name()+" to be gone", func() (bool, error) {
		for _, pid := range f.PIDs() {
			if slices.Contains(dead, pid) {
				return false, nil
			}
		}
		return true, nil
	})
}

// from maps columns of charge_permissions to their path in Amazon's answer. A column
// that is neither in from nor in ours fails the comparison.
var from = map[string]string{
	"id": "chargePermissionId", "type": "chargePermissionType", "release_environment": "releaseEnvironment",
	"state": "statusDetails.state", "state_updated_at": "statusDetails.lastUpdatedTimestamp",
	"buyer_id": "buyer.buyerId", "buyer_name": "buyer.name", "buyer_email": "buyer.email", "buyer_phone": "buyer.phoneNumber",
	"limit_amount": "limits.amountLimit.amount", "balance_amount": "limits.amountBalance.amount", "limit_currency": "limits.amountLimit.currencyCode",
	"created_at": "creationTimestamp", "expires_at": "expirationTimestamp",
	"reasons": "statusDetails.reasons", "payment_descriptors": "paymentPreferences", "raw": "",
}

// addressMembers maps the lines of an address to Amazon's names.
var addressMembers = map[string]string{
	"name": "name", "line1": "addressLine1", "line2": "addressLine2", "line3": "addressLine3", "city": "city", "county": "county",
	"district": "district", "state_or_region": "stateOrRegion", "postal_code": "postalCode", "country_code": "countryCode", "phone": "phoneNumber",
}

// ours are the columns that are not from Amazon's answer.
var ours = []string{"account", "followed", "read_at", "request_id", "cause", "stored_at", "changed_at", "unfollowed_at"}

func init() {
	for column, member := range addressMembers {
		from["shipping_"+column] = "shippingAddress." + member
		from["billing_"+column] = "billingAddress." + member
	}
}

// lookUp follows a path of members. A missing member is the same as null.
func lookUp(v any, path string) any {
	for member := range strings.SplitSeq(path, ".") {
		if path == "" {
			break
		}
		object, _ := v.(map[string]any)
		v = object[member]
	}
	return v
}

func decoded(tb testing.TB, b []byte) (v map[string]any) {
	tb.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		tb.Fatalf("%v: %s", err, b)
	}
	return v
}

// translated converts Amazon's value to the column's JSON.
func translated(column string, v any) any {
	switch column {
	case "reasons":
		all := []any{}
		list, _ := v.([]any)
		for _, r := range list {
			reason := map[string]any{"code": lookUp(r, "reasonCode")}
			if d := lookUp(r, "reasonDescription"); d != nil {
				reason["description"] = d
			}
			all = append(all, reason)
		}
		return all
	case "payment_descriptors":
		all := []any{}
		list, _ := v.([]any)
		for _, p := range list {
			if d := lookUp(p, "paymentDescriptor"); d != nil {
				all = append(all, d)
			}
		}
		return all
	case "limit_amount", "balance_amount":
		if s, ok := v.(string); ok {
			return json.Number(s)
		}
	case "state_updated_at", "created_at", "expires_at":
		if s, ok := v.(string); ok {
			at, err := time.Parse("20060102T150405Z", s)
			if err != nil {
				return err
			}
			return at.Format(time.RFC3339)
		}
	}
	return v
}

// facetsOf returns the facets of a charge permission, as in the history, from
// Amazon's answer.
func facetsOf(truth map[string]any) map[string]any {
	facets := map[string]any{}
	set := func(name string, members map[string]any) {
		for k, v := range members {
			if v == nil || reflect.DeepEqual(v, []any{}) {
				delete(members, k)
			}
		}
		if len(members) > 0 {
			facets[name] = members
		}
	}
	for name, object := range map[string]string{"shipping_address": "shippingAddress", "billing_address": "billingAddress"} {
		lines := map[string]any{}
		for column, member := range addressMembers {
			lines[column] = lookUp(truth, object+"."+member)
		}
		set(name, lines)
	}
	reasons := []any{}
	for _, r := range translated("reasons", lookUp(truth, "statusDetails.reasons")).([]any) {
		reasons = append(reasons, lookUp(r, "code"))
	}
	set("state", map[string]any{"state": lookUp(truth, "statusDetails.state"), "reason_codes": reasons})
	set("payment_method", map[string]any{"payment_descriptors": translated("payment_descriptors", truth["paymentPreferences"])})
	set("buyer", map[string]any{"buyer_id": lookUp(truth, "buyer.buyerId"), "name": lookUp(truth, "buyer.name"), "email": lookUp(truth, "buyer.email"), "phone": lookUp(truth, "buyer.phoneNumber")})
	set("limit", map[string]any{"limit_amount": lookUp(truth, "limits.amountLimit.amount"), "limit_currency": lookUp(truth, "limits.amountLimit.currencyCode")})
	set("expiry", map[string]any{"expires_at": translated("expires_at", truth["expirationTimestamp"])})
	return facets
}

// check compares the database with the twin's state: every column of every row, and a
// complete history without duplicates that leads to it. It also checks that no
// notification is lost, no refresh request is open or failing, and there are no
// dead-letter messages.
func (w *trial) check() {
	w.tb.Helper()
	truths := w.Twin.List()
	if n := w.count(`select count(*) from walletsync.charge_permissions`); n != len(truths) {
		w.tb.Errorf("%d rows, Amazon has %d charge permissions", n, len(truths))
	}
	history := w.history()
	for _, b := range truths {
		truth := decoded(w.tb, b)
		id := truth["chargePermissionId"].(string)
		var row []byte
		if err := w.DB.QueryRow(w.ctx(), `select to_jsonb(c) from walletsync.charge_permissions c where id = $1`, id).Scan(&row); err != nil {
			w.tb.Errorf("%s: %v", id, err)
			continue
		}
		w.compare(id, decoded(w.tb, row), truth)
		if d := cmp.Diff(facetsOf(truth), history[id]); d != "" {
			w.tb.Errorf("%s: the history does not lead to Amazon's state: %s", id, d)
		}
	}
	if n := w.count(`select count(*) from walletsync.notifications`); n != w.sent {
		w.tb.Errorf("%d notifications recorded of %d", n, w.sent)
	}
	if n := w.count(`select count(*) from walletsync.refreshes where wanted <> done or lease is not null or attempts > 0 or last_error is not null`); n > 0 {
		w.tb.Errorf("%d charge permissions have an open refresh request, are leased or failing", n)
	}
	for _, m := range w.DLQ.Messages() {
		w.tb.Errorf("dead-letter message, reason %s: %s", m.Attributes["reason"].StringValue, m.Body)
	}
}

func (w *trial) compare(id string, row, truth map[string]any) {
	w.tb.Helper()
	for column, got := range row {
		if slices.Contains(ours, column) {
			continue
		}
		path, ok := from[column]
		if !ok {
			w.tb.Errorf("column %s is not compared: add its path in Amazon's answer to from, or add it to ours", column)
			continue
		}
		if at, isTime := got.(string); isTime && strings.HasSuffix(column, "_at") {
			if parsed, err := time.Parse(time.RFC3339, at); err == nil {
				got = parsed.UTC().Format(time.RFC3339)
			}
		}
		if d := cmp.Diff(translated(column, lookUp(truth, path)), got); d != "" {
			w.tb.Errorf("%s: %s differs from Amazon's: %s", id, column, d)
		}
	}
	if row["read_at"] == nil || row["request_id"] == nil || row["followed"] != true {
		w.tb.Errorf("%s: read at %v by request %v, followed %v", id, row["read_at"], row["request_id"], row["followed"])
	}
}

// history returns the facets after each charge permission's last change. It fails on
// a missing position, a duplicate row, or a before that differs from the previous
// change's after.
func (w *trial) history() map[string]map[string]any {
	w.tb.Helper()
	rows, err := w.DB.Query(w.ctx(), `select position, charge_permission, facet, coalesce(before, 'null'), coalesce(after, 'null')
		from walletsync.charge_permission_changes order by position`)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer rows.Close()
	all := map[string]map[string]any{}
	last, jumps := 0, 0
	for rows.Next() {
		var position int
		var id, facet string
		var before, after any
		if err := rows.Scan(&position, &id, &facet, &before, &after); err != nil {
			w.tb.Fatal(err)
		}
		if last++; position == last+1<<40 && jumps < w.restores {
			last, jumps = position, jumps+1
		}
		if position != last {
			w.tb.Errorf("position %d follows %d", position, last-1)
			last = position
		}
		facets := all[id]
		switch {
		case facet == "first_read" && facets == nil:
			all[id], _ = after.(map[string]any)
			continue
		case facet == "first_read":
			w.tb.Errorf("%s was first read twice", id)
			continue
		case facets == nil:
			w.tb.Errorf("%s changed its %s before it was read", id, facet)
			continue
		}
		if d := cmp.Diff(facets[facet], before); d != "" {
			w.tb.Errorf("change %d of %s: before differs from the previous after: %s", position, id, d)
		}
		if cmp.Equal(before, after) {
			w.tb.Errorf("change %d of %s changes nothing in %s, so it is a duplicate", position, id, facet)
		}
		if delete(facets, facet); after != nil {
			facets[facet] = after
		}
	}
	if err := rows.Err(); err != nil {
		w.tb.Fatal(err)
	}
	if n := w.count(`select n from walletsync.feed`); n != last {
		w.tb.Errorf("the feed's counter is at %d, the last position is %d", n, last)
	}
	return all
}

// book collects the logs of a stack. It keeps the calls that the twin answered, and
// the warnings and errors.
type book struct {
	mu    sync.Mutex
	calls []called
	taken []string // message ids of the notifications that the receiver accepted
	// metrics are the functions' values, by function and name.
	metrics      map[string][]float64
	troubleLines []string
	output       *bytes.Buffer // if not nil, collects all lines except the twin's
}

// called is a call of Get Charge Permission and the time of its answer.
type called struct {
	id     string
	status int
	at     time.Time
}

func (b *book) Write(line []byte) (int, error) {
	var l struct {
		Level, Function, Message, Call, ID string
		MessageID                          string `json:"messageId"`
		Status                             int
	}
	if json.Unmarshal(line, &l) != nil {
		l.Level = "error" // from a panic, or not a log line of the project
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes.Contains(line, []byte(`"_aws"`)) {
		b.measure(line)
	}
	if l.Function == "twin" && l.Call == string(twin.GetChargePermission) {
		b.calls = append(b.calls, called{l.ID, l.Status, time.Now()})
	}
	if l.Function == "twin" && l.Message == "notification taken" {
		b.taken = append(b.taken, l.MessageID)
	}
	if b.output != nil && l.Function != "twin" {
		b.output.Write(line)
	}
	if l.Level == "error" || l.Level == "warn" {
		b.troubleLines = append(b.troubleLines, string(line))
	}
	return len(line), nil
}

// capture starts to collect the output of the functions.
func (b *book) capture() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.output = &bytes.Buffer{}
}

// everything returns the captured output.
func (b *book) everything() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.output.String()
}

// measure reads a line of the embedded metric format. The first directive has all
// metrics of the line; others repeat those with more dimensions.
func (b *book) measure(line []byte) {
	var values map[string]json.RawMessage
	var l struct {
		Function string
		AWS      struct {
			CloudWatchMetrics []struct{ Metrics []struct{ Name string } }
		} `json:"_aws"`
	}
	if json.Unmarshal(line, &l) != nil || json.Unmarshal(line, &values) != nil {
		return
	}
	if b.metrics == nil {
		b.metrics = map[string][]float64{}
	}
	for _, d := range l.AWS.CloudWatchMetrics {
		for _, m := range d.Metrics {
			var one float64
			var some []float64
			if json.Unmarshal(values[m.Name], &one) == nil {
				some = []float64{one}
			} else if json.Unmarshal(values[m.Name], &some) != nil {
				continue
			}
			b.metrics[l.Function+" "+m.Name] = append(b.metrics[l.Function+" "+m.Name], some...)
		}
	}
}

// measured returns the values of a metric since the last forget.
func (b *book) measured(function, name string) []float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.metrics[function+" "+name])
}

// since returns the calls since the n-th.
func (b *book) since(n int) []called {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls[n:])
}

func (b *book) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.calls)
}

// messages returns the notifications that the receiver took so far.
func (b *book) messages() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.taken)
}

// last returns the last warning or error with this message.
func (b *book) last(message string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range slices.Backward(b.troubleLines) {
		if strings.Contains(line, message) {
			return line
		}
	}
	return ""
}

// restored removes the accepted notifications.
func (b *book) restored() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = nil
}

// all returns the warnings and errors, and process output that is no log line.
func (b *book) all() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.troubleLines, "")
}

// forget removes the warnings, errors and metrics.
func (b *book) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubleLines, b.metrics = nil, nil
}

func (b *book) troubles() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.troubleLines[max(0, len(b.troubleLines)-30):], "")
}
