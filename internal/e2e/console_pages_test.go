package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"walletsync/internal/console"
	consolepg "walletsync/internal/console/postgres"
	"walletsync/internal/console/view"
	"walletsync/internal/local/pg/pgtest"
	"walletsync/internal/local/stack"
	"walletsync/internal/pg"
	"walletsync/internal/pg/migrate"
	privacypg "walletsync/internal/privacy/postgres"
	reconcilepg "walletsync/internal/reconcile/postgres"
	"walletsync/internal/update"
	"walletsync/internal/wallet"
)

// The charge permissions of these tests.
const (
	annas    = "B01-0000000-0000001" // her card has expired, and she has moved
	yamadas  = "B01-0000000-0000002"
	hostiles = "B01-0000000-0000003" // fields with hostile content
	unread   = "B01-0000000-0000004"
)

// seeds are rows in the form that the functions write.
var seeds = []string{
	`insert into walletsync.charge_permissions (account, id, type, followed, state, reasons, state_updated_at, buyer_id, buyer_name, buyer_email, buyer_phone,
		payment_descriptors, shipping_name, shipping_line1, shipping_line2, shipping_city, shipping_state_or_region, shipping_postal_code, shipping_country_code, shipping_phone,
		billing_name, billing_line1, billing_city, billing_postal_code, billing_country_code, limit_amount, balance_amount, limit_currency,
		created_at, expires_at, read_at, request_id, cause, stored_at, changed_at, raw)
	values
	('main', '` + annas + `', 'PaymentMethodOnFile', true, 'NonChargeable', '[{"code":"PaymentMethodExpired","description":"The payment method has expired"}]', now() - interval '26 minutes',
		'amzn1.account.AFICTITIOUSBUYER', 'Anna Müller-Beispiel', 'anna@example.com', '+49 30 1234567', array['Visa ****1111 (Amazon Pay)'],
		'Anna Müller-Beispiel', 'Neue Straße 2', 'Hinterhaus', 'Berlin', null, '10115', 'DE', null, 'Anna Müller-Beispiel', 'Rechnungsweg 9', 'Köln', '50667', 'DE', 500, 380.5, 'EUR',
		now() - interval '400 days', now() + interval '5 years', now() - interval '25 minutes', 'P0A1B2C3D4E5F6G7', 'ipn', now() - interval '25 minutes', now() - interval '25 minutes', '{}'),
	('main', '` + yamadas + `', 'PaymentMethodOnFile', true, 'Chargeable', '[]', now() - interval '90 days', 'amzn1.account.BFICTITIOUSBUYER', '山田 太郎', 'taro@example.jp', '03-0000-0000',
		array['Mastercard ****4444 (Amazon Pay)'], '山田 太郎', '神南1-2-3', '青空マンション501', '渋谷区', '東京都', '150-0041', 'JP', '03-0000-0000',
		'山田 太郎', '神南1-2-3', '渋谷区', '150-0041', 'JP', null, null, null,
		now() - interval '90 days', null, now() - interval '3 hours', 'P1', 'return', now() - interval '3 hours', now() - interval '3 hours', '{}'),
	('main', '` + hostiles + `', 'PaymentMethodOnFile', true, 'NonChargeable', jsonb_build_array(jsonb_build_object('code', 'SomethingNew', 'description', '<b onclick="alert(1)">' || repeat('W', 180))),
		now() - interval '1 day', repeat('i', 200), 'שלום <script>alert(1)</script> 👩‍👩‍👧‍👦', repeat('e', 190) || '@example.com', repeat('9', 60), array[repeat('V', 200), 'بطاقة ****1111'],
		'שלום ' || U&'\202E' || 'gnitset', repeat('W', 200), '"><img src=x onerror=alert(1)>', repeat('Llanfair', 25), repeat('S', 120), repeat('1', 40), 'DE', '</address>',
		repeat('N', 200), repeat('B', 200), repeat('C', 200), repeat('2', 60), 'DE', 12345678901234567890.12, 1, 'EUR',
		now(), null, now(), repeat('R', 120), 'ipn', now() - interval '40 days', now() - interval '2 days', '{}')`,
	// Other buyers of the shop, for the lists.
	`insert into walletsync.charge_permissions (account, id, type, followed, state, reasons, state_updated_at, buyer_name, buyer_email, payment_descriptors,
		shipping_name, shipping_line1, shipping_city, shipping_postal_code, shipping_country_code, read_at, request_id, cause, stored_at, changed_at, raw)
	select 'main', format('B01-1111111-%s', lpad(n::text, 7, '0')), 'PaymentMethodOnFile', true, s.state, s.reasons::jsonb, now() - n * interval '1 hour',
		x.first || ' ' || x.last, lower(x.first) || n || '@example.com', array['Visa ****' || lpad((n * 37 % 10000)::text, 4, '0')],
		x.first || ' ' || x.last, n || ' Example Road', x.city, lpad((n * 911 % 100000)::text, 5, '0'), 'GB',
		now() - n * interval '1 minute', 'R' || n, 'ipn', now() - n * interval '1 minute', now() - n * interval '11 minutes', '{}'
	from generate_series(1, 90) n,
		lateral (select (array['Maria', 'John', 'Aiko', 'Peter', 'Sofia', 'Ahmed'])[1 + n % 6] as first, (array['Sample', 'Example', 'Specimen', 'Müller', 'Fictitious'])[1 + n % 5] as last,
			(array['London', 'Sampleton', 'Fictionbury', 'Farville'])[1 + n % 4] as city) x,
		lateral (select case when n % 3 = 0 then 'NonChargeable' when n % 10 = 1 then 'Closed' else 'Chargeable' end as state,
			case when n % 3 = 0 then '[{"code":"PaymentMethodExpired","description":"The payment method has expired"}]' when n % 10 = 1 then '[{"code":"BuyerClosed"}]' else '[]' end as reasons) s`,
	`insert into walletsync.refreshes (account, id, wanted, done, claimed, since, notified_at, read_at)
		select account, id, 3, 3, 3, now() - interval '1 day', now() - interval '26 minutes', read_at from walletsync.charge_permissions`,
	`update walletsync.refreshes set wanted = 4, since = now() - interval '34 minutes', priority = 20, attempts = 4, not_before = now() + interval '3 minutes',
		last_error = '503 ServiceUnavailable: The service is temporarily unavailable' where id like 'B01-1111111-000000_'`,
	`update walletsync.refreshes set wanted = 4, since = now() - interval '5 minutes', priority = 20, attempts = 2, last_error = repeat('E', 250) where id = '` + hostiles + `'`,
	`insert into walletsync.refreshes (account, id, wanted, since, priority) values ('main', '` + unread + `', 1, now() - interval '2 minutes', 30)`,
	`insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, before, after, cause, message_id, request_id, read_at, stored_at)
	values
	(1, 'main', '` + annas + `', 'first_read', null, '{"shipping_address":{"name":"Anna Müller-Beispiel","line1":"Alte Straße 1","city":"Köln","postal_code":"50667","country_code":"DE"},"payment_method":{"payment_descriptors":["Visa ****1111 (Amazon Pay)"]},"state":{"state":"Chargeable"},"buyer":{"name":"Anna Müller-Beispiel","email":"anna@example.com"},"limit":{"limit_amount":"500","limit_currency":"EUR"}}', 'import', null, 'P-0', now() - interval '400 days', now() - interval '400 days'),
	(2, 'main', '` + annas + `', 'shipping_address', '{"name":"Anna Müller-Beispiel","line1":"Alte Straße 1","city":"Köln","postal_code":"50667","country_code":"DE"}', '{"name":"Anna Müller-Beispiel","line1":"Neue Straße 2","line2":"Hinterhaus","city":"Berlin","postal_code":"10115","country_code":"DE"}', 'return', null, 'P-1', now() - interval '6 days', now() - interval '6 days'),
	(3, 'main', '` + annas + `', 'state', '{"state":"Chargeable"}', '{"state":"NonChargeable","reason_codes":["PaymentMethodExpired"]}', 'ipn', 'm-3', 'P0A1B2C3D4E5F6G7', now() - interval '25 minutes', now() - interval '25 minutes'),
	(4, 'main', '` + yamadas + `', 'first_read', null, '{"shipping_address":{"name":"山田 太郎","city":"渋谷区","country_code":"JP"},"state":{"state":"Chargeable"}}', 'ipn', null, 'P-4', now() - interval '90 days', now() - interval '90 days'),
	(5, 'main', '` + yamadas + `', 'payment_method', '{"payment_descriptors":["Visa ****1111 (Amazon Pay)"]}', '{"payment_descriptors":["Mastercard ****4444 (Amazon Pay)"]}', 'return', null, 'P1', now() - interval '3 hours', now() - interval '3 hours'),
	(6, 'main', '` + hostiles + `', 'shipping_address', jsonb_build_object('line1', repeat('W', 200), 'city', '<b>'), jsonb_build_object('line1', repeat('M', 200), 'city', 'שלום', '<new>', '👩‍👩‍👧‍👦'), 'ipn', null, repeat('R', 120), now(), now() - interval '2 days')`,
	`update walletsync.feed set n = 6`,
	`insert into walletsync.notifications (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at, processed_at, outcome)
	select 'm-' || n, 'main', 'n-' || n, x.kind, '` + annas + `' || x.suffix, '` + annas + `', 'STATE_CHANGE', now() - n * interval '26 minutes', now() - n * interval '26 minutes', now() - n * interval '26 minutes', x.outcome
	from generate_series(1, 5) n, lateral (select (array['CHARGE_PERMISSION', 'CHARGE', 'REFUND', 'CHARGE_PERMISSION', 'CHARGE_PERMISSION'])[n] as kind, (array['', '-C056351', '-R056352', '', ''])[n] as suffix,
		(array['wanted', 'wanted', 'wanted', 'covered', 'confirming'])[n] as outcome) x`,
	`insert into walletsync.update_sessions (id, account, charge_permission, updates, product_type, created_at, expires_at, state, reason, returned_at, ended_at) values
	('3f0e8b5e-0000-4000-8000-000000000001', 'main', '` + annas + `', 'payment_method', 'PayAndShip', now() - interval '10 minutes', now() + interval '47 hours', 'started', null, null, null),
	('3f0e8b5e-0000-4000-8000-000000000002', 'main', '` + annas + `', 'payment_method', 'PayAndShip', now() - interval '20 minutes', now() + interval '47 hours', 'failed', 'Declined', now() - interval '15 minutes', now() - interval '15 minutes'),
	('3f0e8b5e-0000-4000-8000-000000000003', 'main', '` + annas + `', 'address', 'PayAndShip', now() - interval '145 hours', now() - interval '100 hours', 'completed', null, now() - interval '6 days', now() - interval '6 days'),
	('3f0e8b5e-0000-4000-8000-000000000004', 'main', '` + yamadas + `', 'both', 'PayAndShip', now() - interval '1 hour', now() + interval '23 hours', 'started', null, null, null)`,
	`insert into walletsync.hours (account, hour, after, notifications, changes, lag_p50, lag_p95, failing, granted, granted_from, oldest, counted_at)
	select 'main', h, 0, 200 + (180 * (1 + sin(n / 3.8)))::int + n * 37 % 60, case when n % 11 = 5 then 0 else 20 + n * 13 % 47 end,
		case when n % 11 <> 5 then 0.08 + (n * 7 % 10) / 60.0 end, case when n % 11 <> 5 then 0.5 + (n * 7 % 23) / 12.0 end,
		case when n between 9 and 11 then n else 0 end, n * 900, (n - 1) * 900 + n * 41 % 300, case when n between 9 and 11 then 600 + 100 * n else n * 11 % 40 end, now()
	from generate_series(0, 167) n, lateral (select date_trunc('hour', now(), 'UTC') - (n || ' hours')::interval as h) x where n not in (16, 17)`,
}

// consoleWorld is the console's handler on its own database, with the test's user
// signed in.
type consoleWorld struct {
	url string
	db  *pgx.Conn
	as  view.Identity
	// The dead-letter queue, the refresh requests, and the erased ids.
	deadLetters []view.DeadLetter
	wants       []wallet.Want
	erased      []wallet.ChargePermissionID
	opened      []view.Access
}

func (c *consoleWorld) Now(_ context.Context, w wallet.Want) (wallet.Refreshed, error) {
	c.wants = append(c.wants, w)
	return wallet.Refreshed{Settled: true, Kind: "read"}, nil
}

func (c *consoleWorld) NewLink(context.Context, wallet.AccountID, wallet.ChargePermissionID, string) (update.Issued, error) {
	return update.Issued{ID: uuid.MustParse("3f0e8b5e-0000-4000-8000-000000000009"), URL: "https://update.example.com/update?t=" + strings.Repeat("Ab0_", 24), Expires: time.Now().Add(24 * time.Hour)}, nil
}

func (c *consoleWorld) List(_ context.Context, limit int) ([]view.DeadLetter, error) {
	return append([]view.DeadLetter{}, c.deadLetters[:min(limit, len(c.deadLetters))]...), nil
}
func (c *consoleWorld) Count(context.Context) (int, error) { return len(c.deadLetters), nil }
func (c *consoleWorld) Retry(_ context.Context, id string) (bool, error) {
	for i, l := range c.deadLetters {
		if l.ID == id {
			c.deadLetters = append(c.deadLetters[:i:i], c.deadLetters[i+1:]...)
			return true, nil
		}
	}
	return false, nil
}

func (c *consoleWorld) RetryAll(context.Context) (int, error) {
	n := len(c.deadLetters)
	c.deadLetters = nil
	return n, nil
}

func (c *consoleWorld) Erase(_ context.Context, _ wallet.AccountID, ids []wallet.ChargePermissionID, _ time.Time, _ wallet.Cause) error {
	c.erased = append(c.erased, ids...)
	return nil
}

func (c *consoleWorld) Accesses(context.Context, wallet.AccountID, wallet.ChargePermissionID, int) ([]view.Accessed, error) {
	return []view.Accessed{{At: time.Now(), Subject: "u-1", Name: "Carla Clerk", Role: "read", What: "opened"}}, nil
}
func (c *consoleWorld) LogAccess(_ context.Context, by view.Identity, a view.Access) error {
	if by.Subject == "" {
		return errors.New("no user")
	}
	c.opened = append(c.opened, a)
	return nil
}

var someone = view.Identity{Subject: "subject", Name: "Kim Clerk", Role: view.RoleAct, CSRF: "token"}

func newConsole(t *testing.T) *consoleWorld {
	t.Helper()
	url := pgtest.New(t, func(ctx context.Context, url string) error {
		_, err := migrate.Run(ctx, url, "", []migrate.Account{{ID: "main", MerchantID: "M1", Environment: "live", Region: "EU", LedgerCurrency: "EUR",
			Follow: wallet.DefaultFollowed(), Quotas: wallet.LiveQuotas(), Share: 0.5}})
		return err
	}, "console")
	c := &consoleWorld{as: someone}
	var err error
	if c.db, err = pgx.Connect(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.db.Close(context.Background()) })
	for _, sql := range seeds {
		if _, err := c.db.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%v: %s", err, sql)
		}
	}
	ago := func(d time.Duration) *time.Time { return new(time.Now().Add(-d)) }
	c.deadLetters = []view.DeadLetter{
		{ID: "11111111-0000-4000-8000-000000000001", Reason: "foreign_topic", Kind: new("unreadable"), Account: new("main"), MessageID: new("22222222-0000-4000-8000-000000000001"),
			Topic: new("arn:aws:sns:eu-west-1:999999999999:somebody-elses-topic"), PublishedAt: ago(2 * time.Hour), SentAt: ago(2 * time.Hour),
			Body: new(`{"v":1,"kind":"unreadable","account":"main","reason":"foreign_topic","topic":"arn:aws:sns:eu-west-1:999999999999:somebody-elses-topic","body":"{\"MerchantID\":\"` + strings.Repeat("A", 200) + `\"}"}`)},
		{ID: "11111111-0000-4000-8000-000000000002", Reason: "received_too_often", Kind: new("ipn"), Account: new("main"), ChargePermissionID: new(annas), ObjectType: new("CHARGE"),
			ObjectID: new(annas + "-C056351"), MessageID: new("22222222-0000-4000-8000-000000000002"), PublishedAt: ago(50 * time.Hour), SentAt: ago(26 * time.Hour)},
	}
	db := pg.New(pg.URL(url), pg.Options{})
	t.Cleanup(db.Close)
	store := consolepg.New(db, reconcilepg.New(db))
	h, err := console.New(console.Options{Store: store, Refresher: c, Updates: c, DeadLetters: c, Persons: privacypg.New(db), Eraser: c, Accesses: c, CursorKeys: func(context.Context, bool) ([]string, error) { return []string{"a-key-of-the-tests"}, nil },
		StaleAfter: 30 * 24 * time.Hour, GracePeriod: 5 * time.Minute, Now: time.Now, Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h.ServeHTTP(w, q.WithContext(view.WithIdentity(q.Context(), c.as)))
	}))
	t.Cleanup(s.Close)
	c.url = s.URL + "/console"
	return c
}

// goes opens a page of the console.
func (c *consoleWorld) goes(t *testing.T, ctx context.Context, path string) {
	t.Helper()
	do(t, ctx, chromedp.Navigate(c.url+path))
}

// searches enters a term into the search form.
func (c *consoleWorld) searches(t *testing.T, ctx context.Context, term string) {
	t.Helper()
	c.goes(t, ctx, "/")
	do(t, ctx, chromedp.SendKeys("#q", term+"\r"))
	until(t, "what was found", func() (bool, error) {
		loaded, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.readyState === "complete" && !document.querySelector("#q[autofocus]")`))
		return loaded && err == nil, nil // an error means that the page is changing
	})
}

// sights are the pages to check and how to reach them.
var sights = []struct {
	name string
	go_  func(t *testing.T, ctx context.Context, c *consoleWorld)
}{
	{"search", func(t *testing.T, ctx context.Context, c *consoleWorld) { c.goes(t, ctx, "/") }},
	{"search-found", func(t *testing.T, ctx context.Context, c *consoleWorld) { c.searches(t, ctx, "müller") }},
	{"search-none", func(t *testing.T, ctx context.Context, c *consoleWorld) { c.searches(t, ctx, "unknown buyer") }},
	{"list", func(t *testing.T, ctx context.Context, c *consoleWorld) { c.goes(t, ctx, "/lists/not_chargeable") }},
	{"list-failing", func(t *testing.T, ctx context.Context, c *consoleWorld) { c.goes(t, ctx, "/lists/failing") }},
	{"record", func(t *testing.T, ctx context.Context, c *consoleWorld) {
		c.goes(t, ctx, "/charge-permissions/main/"+annas)
	}},
	{"record-japan", func(t *testing.T, ctx context.Context, c *consoleWorld) {
		c.goes(t, ctx, "/charge-permissions/main/"+yamadas+"?refreshed=unchanged")
	}},
	{"record-hostile", func(t *testing.T, ctx context.Context, c *consoleWorld) {
		c.goes(t, ctx, "/charge-permissions/main/"+hostiles)
	}},
	{"record-unread", func(t *testing.T, ctx context.Context, c *consoleWorld) {
		c.goes(t, ctx, "/charge-permissions/main/"+unread)
	}},
	{"link", func(t *testing.T, ctx context.Context, c *consoleWorld) {
		c.goes(t, ctx, "/charge-permissions/main/"+annas)
		do(t, ctx, chromedp.Click(`form[action$="/update-links"] button`))
		do(t, ctx, chromedp.WaitVisible("#link"))
	}},
	{"erase", func(t *testing.T, ctx context.Context, c *consoleWorld) {
		c.goes(t, ctx, "/charge-permissions/main/"+annas+"/erase")
	}},
	{"failures", func(t *testing.T, ctx context.Context, c *consoleWorld) { c.goes(t, ctx, "/failures") }},
	{"overview", func(t *testing.T, ctx context.Context, c *consoleWorld) { c.goes(t, ctx, "/overview") }},
	{"overview-week", func(t *testing.T, ctx context.Context, c *consoleWorld) { c.goes(t, ctx, "/overview?span=7d") }},
	{"problem", func(t *testing.T, ctx context.Context, c *consoleWorld) { c.goes(t, ctx, "/nowhere") }},
}

// TestConsolePagesAreAccessible runs axe-core on each page, checks that no page scrolls
// sideways on a phone or at a zoom of 400 % (WCAG 2.2, 1.4.10), and keeps pictures.
func TestConsolePagesAreAccessible(t *testing.T) {
	t.Parallel()
	axe := axeCore(t)
	c := newConsole(t)
	for _, scheme := range []string{"light", "dark"} {
		for _, language := range []string{"en", "ja"} {
			t.Run(scheme+" "+language, func(t *testing.T) {
				ctx := browser(t, scheme)
				c.goes(t, ctx, "/?language="+language)
				for _, s := range sights {
					do(t, ctx, chromedp.EmulateViewport(1280, 900))
					s.go_(t, ctx, c)
					inspect(t, ctx, axe, s.name, func(device string) string {
						return fmt.Sprintf("console-%s-%s-%s-%s", language, device, scheme, s.name)
					})
				}
			})
		}
	}
}

// press sends keys to the focused element.
func press(t *testing.T, ctx context.Context, keys ...string) {
	t.Helper()
	for _, k := range keys {
		do(t, ctx, chromedp.KeyEvent(k))
	}
}

// focused returns the focused element.
func focused(t *testing.T, ctx context.Context) string {
	t.Helper()
	return do(t, ctx, chromedp.Evaluate[string](`(() => {
		const e = document.activeElement;
		return e === document.body ? "body" : e.id ? "#" + e.id : e.textContent.trim().replace(/\s+/g, " ");
	})()`))
}

// tabTo presses Tab until the element has the focus.
func tabTo(t *testing.T, ctx context.Context, there string) {
	t.Helper()
	var seen []string
	for range 60 {
		if at := focused(t, ctx); at == there {
			return
		} else {
			seen = append(seen, at)
		}
		press(t, ctx, kb.Tab)
	}
	t.Fatalf("Tab does not reach %s, only %q", there, seen)
}

// reads waits until the page shows all texts.
func (c *consoleWorld) reads(t *testing.T, ctx context.Context, parts ...string) {
	t.Helper()
	text := ""
	if err := stack.Until(t.Context(), eventTimeout, "the page to change", func() (bool, error) {
		shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.readyState === "complete" ? document.body.innerText : ""`))
		if err != nil {
			return false, nil // the page is changing
		}
		text = shown
		for _, part := range parts {
			if !strings.Contains(text, part) {
				return false, nil
			}
		}
		return true, nil
	}); err != nil {
		t.Fatalf("%v: no %q in %q", err, parts, text)
	}
}

// TestTheConsoleWorksByKeyboard also works without scripts, except the one that copies
// links.
func TestTheConsoleWorksByKeyboard(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	ctx := browser(t, "light")
	c.goes(t, ctx, "/?language=en")
	c.reads(t, ctx, "Find a charge permission")
	if at := focused(t, ctx); at != "#q" {
		t.Errorf("the focus is on %s, not on the search", at)
	}
	press(t, ctx, "anna mü", kb.Enter)
	c.reads(t, ctx, "Can we charge?", "Cannot be charged", "Update the payment method on Amazon’s page", "Neue Straße 2", "Payment state", annas)
	if url := do(t, ctx, chromedp.Location()); url != c.url+"/charge-permissions/main/"+annas {
		t.Errorf("at %s", url)
	}
	press(t, ctx, kb.Tab)
	if at := focused(t, ctx); at != "Skip to main content" {
		t.Errorf("Tab leads to %q first", at)
	}
	press(t, ctx, kb.Enter)
	if at := focused(t, ctx); at != "#content" {
		t.Errorf("which leads to %s", at)
	}
	tabTo(t, ctx, "#update")
	press(t, ctx, kb.ArrowDown)
	tabTo(t, ctx, "#create-link")
	press(t, ctx, kb.Enter)
	c.reads(t, ctx, "Send this link only to the buyer", "Link for the buyer", "in 23 h", "Shipping address")
	tabTo(t, ctx, "#link")
	tabTo(t, ctx, "#copy")
	press(t, ctx, kb.Enter)
	c.reads(t, ctx, "opied") // or the message that copying failed
	if what := c.opened[len(c.opened)-1]; what.What != "linked" || len(what.ChargePermissions) != 1 || what.ChargePermissions[0] != annas {
		t.Errorf("the access log has %+v", what)
	}
}

func TestAClerkRefreshesRedrivesAndErases(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	ctx := browser(t, "light")
	click := func(selector string) { t.Helper(); do(t, ctx, chromedp.Click(selector)) }
	c.goes(t, ctx, "/charge-permissions/main/"+yamadas+"?language=en")
	c.reads(t, ctx, "Can be charged", "〒150-0041", "Mastercard ****4444")
	click("#refresh")
	c.reads(t, ctx, "It was just fetched from Amazon Pay. Nothing has changed.")
	if len(c.wants) != 1 || c.wants[0].ChargePermission != yamadas || c.wants[0].Priority != wallet.PriorityRefresh {
		t.Errorf("refresh requests: %+v", c.wants)
	}

	c.goes(t, ctx, "/failures")
	c.reads(t, ctx, "Dead-letter messages: 2", "foreign_topic", "received_too_often", "503 ServiceUnavailable")
	click(`.things li:first-child form button`)
	c.reads(t, ctx, "Sent to the queue again: 1.", "Dead-letter messages: 1")
	click(`form:has(input[name="all"]) button`)
	c.reads(t, ctx, "Sent to the queue again: 1.", "There are none.")

	c.goes(t, ctx, "/charge-permissions/main/"+yamadas)
	click(`a[href$="/erase"]`)
	c.reads(t, ctx, "This cannot be undone")
	do(t, ctx, chromedp.SendKeys("#confirm", "B01-0000000-0000001\r"))
	c.reads(t, ctx, "That is not the ID of this charge permission")
	if len(c.erased) != 0 {
		t.Fatalf("erased %v", c.erased)
	}
	do(t, ctx, chromedp.SendKeys("#confirm", yamadas+"\r"))
	c.reads(t, ctx, "The personal data has been erased")
	if len(c.erased) != 1 || c.erased[0] != yamadas {
		t.Errorf("erased %v", c.erased)
	}
}

func TestListsHavePages(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	ctx := browser(t, "light")
	c.goes(t, ctx, "/lists/not_chargeable?language=en")
	links := func() []string {
		var all []string
		for line := range strings.SplitSeq(do(t, ctx, chromedp.Evaluate[string](`Array.from(document.querySelectorAll(".rows a"), (a) => a.pathname).join("\n")`)), "\n") {
			all = append(all, line)
		}
		return all
	}
	first := links()
	do(t, ctx, chromedp.Click(`main a.button`))
	c.reads(t, ctx, "Cannot be charged")
	until(t, "the next page", func() (bool, error) {
		there, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.readyState === "complete" && location.search.includes("after=")`))
		return there && err == nil, nil
	})
	second := links()
	if len(first) != 25 || len(second) == 0 || len(second) > 25 {
		t.Errorf("%d and %d rows", len(first), len(second))
	}
	for _, a := range second {
		for _, b := range first {
			if a == b {
				t.Errorf("%s is on both pages", a)
			}
		}
	}
}

// TestTheConsoleLogsNothingInTheBrowser: the Content-Security-Policy blocks no part of
// a page.
func TestTheConsoleLogsNothingInTheBrowser(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	ctx := browser(t, "light")
	logged := make(chan string, 100)
	if err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if !strings.HasPrefix(e.Entry.Text, "Failed to load resource: the server responded with a status of") { // an error page
				logged <- e.Entry.Text
			}
		case *runtime.EventExceptionThrown:
			logged <- e.ExceptionDetails.Text
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, s := range sights {
		s.go_(t, ctx, c)
	}
	for len(logged) > 0 {
		t.Error(<-logged)
	}
}
