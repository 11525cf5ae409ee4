package update

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay"
	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/refresh"
	"walletsync/internal/update/pages"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

const (
	one      = wallet.ChargePermissionID("S01-0000000-0000001")
	other    = wallet.ChargePermissionID("S01-0000000-0000002")
	checkout = "bd504926-f659-4ad7-a1a9-9a747aaf5275"
	secret   = "first-secret-of-two"
	shop     = "https://shop.example"
)

// shown records the pages that the buyer saw.
type shown struct {
	mu      sync.Mutex
	ready   []pages.Ready
	results []pages.Result
	problem []pages.Problem
}

func (s *shown) Ready(w http.ResponseWriter, _ *http.Request, v pages.Ready) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = append(s.ready, v)
	w.WriteHeader(http.StatusOK)
}

func (s *shown) Result(w http.ResponseWriter, _ *http.Request, v pages.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results = append(s.results, v)
	w.WriteHeader(http.StatusOK)
}

func (s *shown) Problem(w http.ResponseWriter, _ *http.Request, v pages.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = append(s.problem, v)
	w.WriteHeader(http.StatusConflict)
}

// memory is a store in memory.
type memory struct {
	mu          sync.Mutex
	permissions []session.Permission
	sessions    map[session.ID]session.Session
	attempts    map[string]session.Attempt
	reasons     map[string]string
	holder      map[string]session.Lease
	changes     session.Shown // of completed attempts
	down        error
	noTokens    bool
	begun       int
	now         func() time.Time
	due         map[string]time.Time // of attempts without an outcome
}

func (m *memory) Permissions(context.Context, wallet.ChargePermissionID) ([]session.Permission, error) {
	return m.permissions, m.down
}

func (m *memory) CreateSession(_ context.Context, s session.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions == nil {
		m.sessions = map[session.ID]session.Session{}
	}
	m.sessions[s.ID] = s
	return m.down
}

func (m *memory) Session(_ context.Context, id session.ID) (session.Session, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[id]
	return s, ok, m.down
}

func (m *memory) Begin(_ context.Context, id session.ID, cs string, held session.Lease, _ time.Duration) (session.Begun, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun++
	s, ok := m.sessions[id]
	if !ok || m.down != nil {
		return session.Begun{}, m.down
	}
	if m.attempts == nil {
		m.attempts, m.holder, m.reasons = map[string]session.Attempt{}, map[string]session.Lease{}, map[string]string{}
	}
	a, known := m.attempts[cs]
	if !known && (s.CheckoutSessions >= session.MaxCheckoutSessions || !m.now().Before(s.ExpiresAt)) {
		return session.Begun{Found: true, Session: s, Refused: true}, nil
	}
	if !known {
		s.CheckoutSessions++
		m.sessions[id] = s
		a = session.Attempt{Account: s.Account, ChargePermission: s.ChargePermission, Session: id, CheckoutSession: cs}
		m.attempts[cs] = a
	}
	b := session.Begun{Found: true, Session: s, Attempt: a, Foreign: a.Session != id}
	b.Deferred = !b.Foreign && a.Outcome == "" && m.holder[cs] == (session.Lease{}) && m.now().Before(m.due[cs])
	if !b.Foreign && a.Outcome == "" && m.holder[cs] == (session.Lease{}) && !b.Deferred {
		m.holder[cs], b.Ours = held, true
	}
	return b, nil
}

func (m *memory) hold(cs string, held session.Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holder[cs] = held
}

func (m *memory) Attempt(_ context.Context, _ wallet.AccountID, cs string) (session.Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.attempts[cs], m.down
}

func (m *memory) Cancel(_ context.Context, id session.ID, reason string) (session.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[id]
	if s.State == session.Started || s.State == session.Expired {
		s.State = session.Failed
		m.sessions[id] = s
	}
	return s.State, m.down
}

func (m *memory) Unidentified(_ context.Context, u session.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[u.ID]
	s.ReadsRequested++
	m.sessions[u.ID] = s
	return m.down
}

func (m *memory) Show(context.Context, session.Attempt) (session.Shown, error) {
	return m.changes, m.down
}

func (m *memory) Take(context.Context, wallet.AccountID, wallet.Call) (bool, time.Duration, error) {
	return !m.noTokens, time.Hour, nil
}

func (m *memory) Rest(context.Context, wallet.AccountID, wallet.Call, time.Duration, string) error {
	return nil
}

func (m *memory) Refused(context.Context, wallet.AccountID, wallet.Call, string) (bool, error) {
	return false, nil
}

func (m *memory) Return(context.Context, wallet.AccountID, wallet.Call, time.Duration, string) error {
	return nil
}

func (m *memory) Settle(_ context.Context, q session.Settlement) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder[q.CheckoutSession] != q.Lease {
		return false, nil
	}
	delete(m.holder, q.CheckoutSession)
	if m.due == nil {
		m.due = map[string]time.Time{}
	}
	m.due[q.CheckoutSession] = m.now().Add(q.Again)
	m.attempts[q.CheckoutSession], m.reasons[q.CheckoutSession] = q.Attempt, q.Reason
	s := m.sessions[q.Session]
	switch q.Outcome {
	case session.OutcomeCompleted:
		s.State = session.Completed
	case session.OutcomeFailed:
		s.State = session.Failed
	default:
		s.State = session.Returned
	}
	m.sessions[q.Session] = s
	return true, nil
}

// amazon completes sessions, or returns the configured error.
type amazon struct {
	permission wallet.ChargePermissionID
	err        error
	calls      int
	hold       chan struct{} // if set, answers wait for it
}

func (a *amazon) CompleteCheckoutSession(context.Context, string, string) (*amazonpay.CheckoutSession, error) {
	a.calls++
	if a.hold != nil {
		<-a.hold
	}
	if a.err != nil {
		return nil, a.err
	}
	return &amazonpay.CheckoutSession{
		ID: checkout, ChargePermissionID: string(a.permission), StatusDetails: amazonpay.CheckoutSessionStatus{State: "Completed"},
		Response: amazonpay.Response{Date: noon},
	}, nil
}

func (a *amazon) GetCheckoutSession(context.Context, string) (*amazonpay.CheckoutSession, error) {
	return nil, &amazonpay.Error{StatusCode: http.StatusInternalServerError}
}

// reader is a Refresher.
type reader struct {
	result   wallet.Refreshed
	err      error
	requests []wallet.Want
}

func (r *reader) Now(_ context.Context, w wallet.Want) (wallet.Refreshed, error) {
	r.requests = append(r.requests, w)
	return r.result, r.err
}

// announcements is an AnnounceStore and a Waker.
type announcements struct {
	stored  map[wallet.ChargePermissionID]wallet.AnnouncementStatus
	account wallet.AccountID
	asked   []wallet.ChargePermissionID
	down    error
	queue   error
	wakeUps int
}

func (a *announcements) Announce(_ context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID) (out []wallet.Announcement, wakes []refresh.Wake, err error) {
	if a.down != nil {
		return nil, nil, a.down
	}
	if a.stored == nil {
		a.stored = map[wallet.ChargePermissionID]wallet.AnnouncementStatus{}
	}
	a.account, a.asked = account, ids
	for _, id := range ids {
		status, known := a.stored[id]
		if !known {
			status = wallet.AnnouncementRequested
			a.stored[id] = wallet.AnnouncementPending
			wakes = []refresh.Wake{{Account: account, At: noon, Delay: time.Second}}
		}
		out = append(out, wallet.Announcement{ChargePermission: id, Status: status})
	}
	return out, wakes, nil
}

func (a *announcements) Wake(context.Context, wallet.AccountID, time.Time, time.Duration) error {
	a.wakeUps++
	return a.queue
}

// signer records what it signs.
type signer struct{ signed *[][]byte }

func (s signer) SignPayload(_ context.Context, p []byte) (string, error) {
	*s.signed = append(*s.signed, bytes.Clone(p))
	return "signature", nil
}

// world has both functions with one store.
type world struct {
	store     *memory
	amazon    *amazon
	reader    *reader
	shown     *shown
	announced *announcements
	signed    [][]byte
	log       bytes.Buffer
	logger    zerolog.Logger
	now       time.Time
	start     *Start
	back      *Return
}

func newWorld() *world {
	w := &world{store: &memory{}, amazon: &amazon{permission: one}, reader: &reader{}, shown: &shown{}, announced: &announcements{}, now: noon}
	w.store.permissions = []session.Permission{{Account: "main", Type: paymentMethodOnFile, Followed: true, State: wallet.Chargeable, HasAddress: true}}
	w.logger = zerolog.New(zerolog.SyncWriter(&w.log))
	now := func() time.Time { return w.now }
	w.store.now = now
	site := Site{
		PublicURL: "https://pay.example", ReturnOrigins: []string{shop}, MerchantURL: "https://merchant.example", Pages: w.shown,
		Tokens: Tokens{Now: now, Secrets: func(context.Context, bool) ([]string, error) { return []string{secret}, nil }},
	}
	w.start = &Start{
		Accounts: Accounts{{
			ID: "main", MerchantID: "A1MERCHANT", Environment: merchant.Sandbox, Region: amazonpay.EU, PublicKeyID: "SANDBOX-KEY",
			StoreID: "amzn1.application-oa2-client.0", LedgerCurrency: "EUR", Algorithm: amazonpay.PSSV2, Follow: wallet.DefaultFollowed(),
		}},
		Store: w.store, Refresher: w.reader, Announcements: w.announced, Waker: w.announced, Site: site, LinkLifetime: 30 * time.Minute, SetupOnly: true, Now: now,
		Signer: func(wallet.AccountID) (Signer, error) { return signer{&w.signed}, nil },
		BearerKeys: func(context.Context, bool) ([]string, error) {
			return []string{"the-current-key-1", "the-previous-key"}, nil
		},
		NewID: func() session.ID { return some },
	}
	w.back = &Return{
		Store: w.store, Refresher: w.reader, Site: site, Timeout: 5 * time.Second, Now: now,
		NewLease: func() session.Lease { return session.Lease{byte(w.store.begun + 1)} },
		Completer: &session.Completer{Store: w.store, Jitter: func() float64 { return 0 },
			API: func(wallet.AccountID) (session.API, error) { return w.amazon, nil }},
	}
	return w
}

// post requests an update session.
func (w *world) post(t *testing.T, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return w.postTo(t, "/update-sessions", body, headers...)
}

// postTo makes a request of the merchant's server.
func (w *world) postTo(t *testing.T, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	q := httptest.NewRequestWithContext(w.logger.WithContext(t.Context()), http.MethodPost, path, strings.NewReader(body))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer the-current-key-1")
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	got := httptest.NewRecorder()
	w.start.Handler().ServeHTTP(got, q)
	return got
}

// get requests one of our pages.
func (w *world) get(ctx context.Context, url string) *httptest.ResponseRecorder {
	q := httptest.NewRequestWithContext(w.logger.WithContext(ctx), http.MethodGet, strings.TrimPrefix(url, "https://pay.example"), nil)
	got := httptest.NewRecorder()
	if strings.HasPrefix(q.URL.Path, "/return") {
		w.back.Handler().ServeHTTP(got, q)
	} else {
		w.start.Handler().ServeHTTP(got, q)
	}
	return got
}

// session stores a session without a request.
func (w *world) session(change func(*session.Session)) session.Session {
	s := session.Session{
		ID: some, Account: "main", ChargePermission: one, Update: pages.Both, ProductType: payAndShip, State: session.Started,
		ExpiresAt: w.now.Add(24*time.Hour + 30*time.Minute),
	}
	if change != nil {
		change(&s)
	}
	_ = w.store.CreateSession(context.Background(), s)
	return s
}

// returnURL returns the URL to which Amazon redirects the buyer of a session.
func (w *world) returnURL(t *testing.T, s session.Session) string {
	t.Helper()
	return "/return?t=" + seal(t, w.back.Site.Tokens, State, s.ID, s.ExpiresAt)
}

func (w *world) returns(t *testing.T, s session.Session) *httptest.ResponseRecorder {
	t.Helper()
	return w.get(t.Context(), w.returnURL(t, s)+"&amazonCheckoutSessionId="+checkout)
}

var errDown = errors.New("down")
