package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"walletsync/internal/export"
	"walletsync/internal/local/twin"
	erasures "walletsync/internal/privacy"
	"walletsync/internal/wallet"
)

// everywhere returns all stored and visible data as text: every row of every table and
// view, the queues, and the bus.
func (w *trial) everywhere() string {
	w.tb.Helper()
	rows, err := w.DB.Query(w.ctx(), `select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'v', 'm', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') order by 1`)
	if err != nil {
		w.tb.Fatal(err)
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			w.tb.Fatal(err)
		}
		names = append(names, name)
	}
	if len(names) < 20 || rows.Err() != nil {
		w.tb.Fatalf("%d tables and views, %v", len(names), rows.Err())
	}
	var all strings.Builder
	for _, name := range names {
		var text string
		if err := w.DB.QueryRow(w.ctx(), `select coalesce(string_agg(r::text, E'\n'), '') from `+name+` r`).Scan(&text); err != nil {
			w.tb.Fatalf("%s: %v", name, err)
		}
		fmt.Fprintln(&all, name+":", text)
	}
	for _, m := range append(w.Queue.Messages(), w.DLQ.Messages()...) {
		fmt.Fprintln(&all, "queue:", m.Body)
	}
	for _, e := range w.Bus.Events() {
		fmt.Fprintln(&all, "bus:", e.Detail)
	}
	return all.String()
}

// ran runs one of PostgreSQL's programs and returns its output. If the program is not
// installed, is is false.
func (w *trial) ran(program string, args ...string) (out string, is bool) {
	w.tb.Helper()
	c, err := w.Postgres.Command(w.ctx(), program, args...)
	if err != nil {
		w.tb.Logf("SKIP %s: %v", program, err)
		return "", false
	}
	text, err := c.Output()
	if err != nil {
		w.tb.Fatalf("%s: %v", program, err)
	}
	return string(text), true
}

// dumped returns a database's dump by pg_dump, empty if that is not installed.
func (w *trial) dumped(url string) string {
	out, _ := w.ran("pg_dump", url)
	return out
}

// restoredBeside restores a backup into a new database and runs the command
// after-restore on it.
func (w *trial) restoredBeside(backup, log string, words []string) {
	w.tb.Helper()
	url, err := w.Postgres.CreateDatabase(w.ctx(), "restored")
	if err != nil {
		w.tb.Fatal(err)
	}
	w.ran("pg_restore", "--exit-on-error", "--dbname="+url, backup)
	if there := found(w.dumped(url), words); len(there) != len(words) {
		w.tb.Errorf("of %d words on the person only %d are in the backup, so this test proves nothing", len(words), len(there))
	}
	secret := w.Secrets.Put("walletsync-restored", `{"url":"`+url+`"}`)
	c := exec.CommandContext(w.ctx(), w.Binary("walletsync"), "after-restore", log)
	c.Env = append(w.Environment(), "DATABASE_SECRET_ARN="+secret)
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), " 1  charge permissions erased") {
		w.tb.Fatalf("%v: %s", err, out)
	}
	for _, left := range found(w.dumped(url), words) {
		w.tb.Errorf("in the restored database: …%s…", left)
	}
}

// exported returns every list that the CLI exports, and its export of a person.
func (w *trial) exported(id string) string {
	w.tb.Helper()
	commands := [][]string{{"export-person", id}}
	for _, l := range export.Lists {
		commands = append(commands, []string{"export", l.Name})
	}
	var all strings.Builder
	for _, args := range commands {
		c := w.cli(args...)
		if err := w.done(c, trialTimeout); err != nil {
			w.tb.Fatalf("%v: %v: %s", args, err, c.stderr.String())
		}
		all.Write(c.out.Bytes())
		all.Write(c.stderr.Bytes())
	}
	return all.String()
}

// personOf returns the personal data in an answer of Amazon's: every text of the buyer,
// the addresses and the payment methods, except two-character codes.
func (w *trial) personOf(id string) (texts []string) {
	w.tb.Helper()
	var gather func(v any)
	gather = func(v any) {
		switch v := v.(type) {
		case string:
			if len(v) > 2 && !slices.Contains(texts, v) {
				texts = append(texts, v)
			}
		case []any:
			for _, one := range v {
				gather(one)
			}
		case map[string]any:
			for _, one := range v {
				gather(one)
			}
		}
	}
	for _, b := range w.Twin.List() {
		truth := decoded(w.tb, b)
		if truth["chargePermissionId"] == id {
			for _, member := range []string{"buyer", "shippingAddress", "billingAddress", "paymentPreferences", "notDocumented"} {
				gather(truth[member])
			}
		}
	}
	return texts
}

// found returns the words that a text contains, each with its surroundings.
func found(text string, words []string) (matches []string) {
	for _, word := range words {
		if i := strings.Index(text, word); i >= 0 {
			matches = append(matches, text[max(0, i-80):min(len(text), i+80)])
		}
	}
	return matches
}

// TestAnErasedPersonStaysErased erases a person during a fetch and sends a notification
// after it. No personal data may be left. A later update by the buyer stores data
// again; restoring an older backup does not.
func TestAnErasedPersonStaysErased(t *testing.T) {
	t.Parallel()
	o := unhurried(time.Second, 2)
	o.Environment["LEASE"], o.Environment["API_TIMEOUT"], o.Environment["LOG_LEVEL"] = "6s", "5s", "debug"
	o.Visibility = 7 * time.Second
	w := try(t, o)
	w.book.capture()
	if _, err := w.Twin.Seed(); err != nil { // buyers with several addresses and cards
		t.Fatal(err)
	}
	const id = "S01-1000002-1000002"
	w.change(id, `{"notDocumented":{"nickname":"Zebedee"}}`, twin.Notify{Age: time.Minute})
	w.settle()
	w.yesterday()
	begin(t, w.Stack, id, "both", `,"returnTo":"`+w.ShopURL+`thanks/Zebedee","merchantMetadata":{"noteToBuyer":"Dear Zebedee"}`)
	words := append(w.personOf(id), "Zebedee")
	for where, text := range map[string]string{"stored": w.everywhere(), "exported": w.exported(id)} {
		if there := found(text, words); len(words) < 8 || len(there) != len(words) {
			t.Fatalf("of %d words on the person only %d are %s, so this test proves nothing", len(words), len(there), where)
		}
	}

	before := slices.Clone(words)
	backup := filepath.Join(t.TempDir(), "backup")
	_, backedUp := w.ran("pg_dump", "--format=custom", "--file="+backup, w.Stack.DatabaseURL)

	// The person is erased while Amazon's answer is in flight.
	reading := w.atCall(true)
	w.change(id, `{"shippingAddress":{"city":"Quillborough"}}`, twin.Notify{})
	w.wait(reading)
	log := filepath.Join(t.TempDir(), "erasures.jsonl")
	erase := w.cli("erase", "--log", log, id)
	if err := w.done(erase, trialTimeout); err != nil || !strings.Contains(erase.out.String(), "main "+id+" erased") {
		t.Fatalf("%v: %s%s", err, erase.out.String(), erase.stderr.String())
	}
	reading.release()
	w.settle() // the dropped read is repeated and finds the erasure marker

	// Later a notification reports another card, another address, another limit.
	w.yesterday()
	w.change(id, `{"shippingAddress":{"city":"Inkwell-on-Sea"},"paymentPreferences":[{"paymentDescriptor":"Visa ****9876 (Amazon Pay)"}],
		"limits":{"amountLimit":{"amount":"321.00","currencyCode":"EUR"}}}`, twin.Notify{})
	w.settle()
	words = append(append(words, w.personOf(id)...), "Quillborough", "Inkwell-on-Sea")
	logged, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{
		"a table, a view, the queue or the bus": w.everywhere(), "a dump": w.dumped(w.Stack.DatabaseURL), "an export": w.exported(id), "the functions' logs": w.book.everything(),
		"the erasure log": string(logged), "what the command says": erase.out.String() + erase.stderr.String(),
	} {
		for _, left := range found(text, words) {
			t.Errorf("in %s: …%s…", where, left)
		}
	}
	if output := w.book.everything(); !strings.Contains(output, `"function":"ipn-worker"`) || !strings.Contains(output, `"function":"update-start"`) {
		t.Errorf("the functions' output was not captured: %s", output)
	}
	// Data that is not personal is still refreshed, and the feed reports the erasure.
	if got := column(t, w.Stack, `select limit_amount || ' ' || (erased_at is not null) from walletsync.charge_permissions c
		join back_office.freshness f on f.charge_permission_id = c.id where c.id = $1`, id); got != "321.00 true" {
		t.Errorf("limit and erasure: %s", got)
	}
	if got := column(t, w.Stack, `select string_agg(facet, ' ' order by position) from back_office.changes_after(0) where charge_permission_id = $1`, id); got != "first_read erased limit" {
		t.Errorf("the feed: %s", got)
	}

	if backedUp {
		w.restoredBeside(backup, log, before)
	}

	// The buyer makes an update.
	_, walked := walk(t, w.Stack, id, "both", twin.Choice{})
	if status, _, page := get(t, walked.ReturnURL); status != http.StatusOK {
		t.Fatalf("%d: %s", status, page)
	}
	w.settle()
	var row []byte
	if err := w.DB.QueryRow(t.Context(), `select to_jsonb(c) from walletsync.charge_permissions c where id = $1`, id).Scan(&row); err != nil {
		t.Fatal(err)
	}
	for _, b := range w.Twin.List() {
		if truth := decoded(t, b); truth["chargePermissionId"] == id {
			w.compare(id, decoded(t, row), truth)
		}
	}
	if there := found(w.everywhere(), w.personOf(id)); len(there) != len(w.personOf(id)) {
		t.Errorf("of %v only these were stored again: %q", w.personOf(id), there)
	}

	// after-restore repeats the erasures in the log, except those before a buyer's update.
	restored := w.cli("after-restore", log)
	if err := w.done(restored, trialTimeout); err != nil || !strings.Contains(restored.out.String(), " 1  in the erasure log but updated since") || !strings.Contains(restored.out.String(), " 0  charge permissions erased") {
		t.Fatalf("%v: %s%s", err, restored.out.String(), restored.stderr.String())
	}
	w.settle()
	if there := found(w.everywhere(), w.personOf(id)); len(there) == 0 {
		t.Error("after-restore erased the buyer's own update")
	}
}

// TestTheReconcilerErasesLongClosedChargePermissions also checks that after-restore can
// read the reconciler's log, and that old notifications are deleted.
func TestTheReconcilerErasesLongClosedChargePermissions(t *testing.T) {
	lent := borrow(t)
	s := lent.stack
	lent.book.capture()
	const closed, open = "S01-1000021-1000021", "S01-1000022-1000022"
	for _, id := range []string{closed, open} {
		state := map[string]string{closed: `"Closed"`, open: `"Chargeable"`}[id]
		if _, err := s.Twin.Change(id, []byte(`{"buyer":{"name":"Thaddeus"},"shippingAddress":{"city":"Thaddeusville"},"statusDetails":{"state":`+state+`}}`), twin.Notify{}); err != nil {
			t.Fatal(err)
		}
		until(t, "the read", func() (bool, error) {
			var n int
			err := s.DB.QueryRow(t.Context(), `select count(*) from walletsync.charge_permissions where id = $1`, id).Scan(&n)
			return n == 1, err
		})
		settled(t, s, id)
	}
	if _, err := s.DB.Exec(t.Context(), `update walletsync.charge_permissions set changed_at = now() - interval '29 days' where id = any ($1)`, []string{closed, open}); err != nil {
		t.Fatal(err)
	}
	names := func() string {
		return column(t, s, `select string_agg(id || ' ' || coalesce(buyer_name, 'erased'), ', ' order by id) from walletsync.charge_permissions where id = any ($1)`, []string{closed, open})
	}
	if reconcile(t, s); names() != closed+" Thaddeus, "+open+" Thaddeus" {
		t.Errorf("after 29 days: %s", names())
	}
	if _, err := s.DB.Exec(t.Context(), `update walletsync.charge_permissions set changed_at = now() - interval '31 days' where id = any ($1)`, []string{closed, open}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB.Exec(t.Context(), `update walletsync.notifications set processed_at = now() - interval '91 days' where charge_permission = $1`, open); err != nil {
		t.Fatal(err)
	}
	if reconcile(t, s); names() != closed+" erased, "+open+" Thaddeus" {
		t.Errorf("after 31 days: %s", names())
	}
	if got := column(t, s, `select string_agg(distinct charge_permission, ' ') from walletsync.notifications where charge_permission = any ($1)`, []string{closed, open}); got != closed {
		t.Errorf("notifications of %s are kept", got)
	}
	var logged []erasures.Erasure
	until(t, "the log line", func() (bool, error) {
		logged = nil
		err := erasures.ReadLog(strings.NewReader(lent.book.everything()), func(e erasures.Erasure) error {
			logged = append(logged, e)
			return nil
		})
		return len(logged) > 0, err
	})
	if len(logged) != 1 || logged[0].ChargePermission != closed || logged[0].Cause != wallet.CauseRetention || time.Since(logged[0].At) > time.Hour {
		t.Errorf("%+v", logged)
	}
	if left := found(lent.book.everything(), []string{"Thaddeus"}); len(left) > 0 {
		t.Errorf("in the functions' logs: %q", left)
	}
}
