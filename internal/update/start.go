package update

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay"
	"walletsync/internal/deadline"
	"walletsync/internal/html"
	"walletsync/internal/telemetry"
	"walletsync/internal/update/pages"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

// Start creates update sessions for the merchant's server, accepts its
// announcements of new charge permissions, and serves the update page to buyers
// with a link.
type Start struct {
	Accounts  Accounts
	Store     StartStore
	Refresher Refresher
	// Only POST /charge-permissions uses Announcements and Waker.
	Announcements AnnounceStore
	Waker         Waker
	Signer        func(wallet.AccountID) (Signer, error)
	Site          Site
	// BearerKeys returns the valid keys. With refetch it reads them again, because
	// those returned before did not match. If nil, IAM authenticates the caller,
	// see Caller.
	BearerKeys func(ctx context.Context, refetch bool) ([]string, error)
	// Caller returns the caller that API Gateway's IAM authorizer accepted. It is
	// empty for a route that was deployed without the authorizer; such requests
	// are refused.
	Caller       func(*http.Request) string
	LinkLifetime time.Duration
	// SetupOnly is paymentMethodOnFileMetadata.setupOnly. Amazon's sources
	// disagree on it. The current English page has true. The older Japanese page
	// has false in its prose and SDK samples, and true in its JSON example.
	SetupOnly bool
	CancelURL bool // give Amazon a checkoutCancelUrl
	NewID     func() session.ID
	Now       func() time.Time
	Metrics   *telemetry.Metrics
}

// StartStore keeps update sessions.
type StartStore interface {
	// Permissions returns the stored charge permission, once for each account
	// that has it.
	Permissions(ctx context.Context, id wallet.ChargePermissionID) ([]session.Permission, error)
	// CreateSession stores a new session as started.
	CreateSession(ctx context.Context, s session.Session) error
	// Session returns a session, or false if there is none.
	Session(ctx context.Context, id session.ID) (session.Session, bool, error)
}

// readFor limits the read of a charge permission that was never read, because the
// merchant's server is waiting. One call with API_TIMEOUT's default fits.
const readFor = 10 * time.Second

// maxBody limits a request. Ten thousand zip codes fit.
const maxBody = 256 << 10

// Handler answers POST /update-sessions, POST /charge-permissions and GET
// /update.
func (s *Start) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /update-sessions", s.create)
	mux.HandleFunc("POST /charge-permissions", s.announce)
	mux.HandleFunc("GET /update", s.ready)
	return html.Below(s.Site.PublicURL, mux)
}

// problem is an error answer (RFC 9457).
type problem struct {
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail"`
	Code   string      `json:"code"` // for programs
	Errors fieldErrors `json:"errors,omitempty"`

	retryAfter int // seconds
	cause      error
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail }
func (p *problem) Unwrap() error { return p.cause }

func refuse(status int, code, detail string) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// unavailable is the answer to temporary errors.
func unavailable(cause error) *problem {
	p := refuse(http.StatusServiceUnavailable, "unavailable", "The request cannot be served just now. Try again in a few seconds.")
	p.retryAfter, p.cause = 5, cause
	return p
}

// invalid is the answer to an invalid request.
func invalid(err error) *problem {
	p := refuse(http.StatusBadRequest, "invalid_request", "The request is not as documented; errors names each member.")
	_ = errors.As(err, &p.Errors)
	return p
}

// SessionAnswer is the answer of POST /update-sessions.
type SessionAnswer struct {
	UpdateSessionID string         `json:"updateSessionId"`
	URL             string         `json:"url"`
	ExpiresAt       time.Time      `json:"expiresAt"`
	Checkout        pages.Checkout `json:"checkout"`
}

func (s *Start) create(w http.ResponseWriter, q *http.Request) {
	a, err := s.start(q)
	if err != nil {
		s.refuse(w, q, err, telemetry.UpdateRefused, "create update session: refused")
		return
	}
	zerolog.Ctx(q.Context()).Info().Str("update_session", a.UpdateSessionID).Msg("update session created")
	s.Metrics.Count(telemetry.UpdateStarted, 1, telemetry.Labels{})
	w.Header().Set("Location", a.URL)
	writeJSON(w, "application/json", http.StatusCreated, a)
}

// refuse answers a request of the merchant's server that failed.
func (s *Start) refuse(w http.ResponseWriter, q *http.Request, err error, metric telemetry.Metric, what string) {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		p = unavailable(err)
	}
	log := zerolog.Ctx(q.Context())
	event := log.Warn()
	if p.Status >= http.StatusInternalServerError {
		event = log.Error().AnErr("cause", p.cause)
	}
	event.Str("code", p.Code).Str("fields", p.Errors.Error()).Int("status", p.Status).Msg(what)
	s.Metrics.Count(metric, 1, telemetry.Labels{Reason: p.Code})
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, "application/problem+json", p.Status, p)
}

// readBody reads a request's body of at most limit bytes, a multiple of 1024.
func readBody(q *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(q.Body, limit+1))
	if err != nil {
		return nil, invalid(fieldErrors{{"body", "it is incomplete"}})
	}
	if int64(len(body)) > limit {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("A request has %d kB at most.", limit>>10))
	}
	return body, nil
}

func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // an error means that the client has disconnected
}

// start carries out POST /update-sessions.
func (s *Start) start(q *http.Request) (SessionAnswer, error) {
	ctx := q.Context()
	if err := s.authenticate(q); err != nil {
		return SessionAnswer{}, err
	}
	body, err := readBody(q, maxBody)
	if err != nil {
		return SessionAnswer{}, err
	}
	r, err := parseRequest(body, s.Site.ReturnOrigins)
	if err != nil {
		return SessionAnswer{}, invalid(err)
	}
	account, u, linkEnds, err := s.session(ctx, r)
	if err != nil {
		return SessionAnswer{}, err
	}
	out := SessionAnswer{UpdateSessionID: u.ID.String(), ExpiresAt: linkEnds.UTC()}
	// Sign here for the merchant's own page, which shows the button at once. The
	// update page signs its own payload, see ready.
	if out.Checkout, err = s.checkout(ctx, account, u); err != nil {
		return SessionAnswer{}, err
	}
	out.URL, err = s.store(ctx, u, linkEnds)
	return out, err
}

// session returns a new update session, which is not stored yet, and the expiry of
// its link.
func (s *Start) session(ctx context.Context, r request) (Account, session.Session, time.Time, error) {
	account, p, err := s.permission(ctx, r)
	if err != nil {
		return account, session.Session{}, time.Time{}, err
	}
	if err := updatable(p); err != nil {
		return account, session.Session{}, time.Time{}, err
	}
	kind, err := productType(r, p.HasAddress)
	if err != nil {
		return account, session.Session{}, time.Time{}, invalid(err)
	}
	if account.Region == amazonpay.JP {
		zerolog.Ctx(ctx).Warn().Str("account", string(account.ID)).
			Msg("according to Amazon's notice, its update page is not supported in Japan at present")
	}
	linkEnds := s.Now().Add(s.LinkLifetime).Truncate(time.Second)
	return account, session.Session{
		ID: s.NewID(), Account: account.ID, ChargePermission: r.chargePermission, Update: r.update, ProductType: kind,
		Locale: r.locale, StartURL: r.startURL, ReturnTo: r.returnTo, Details: r.Details,
		ExpiresAt: linkEnds.Add(session.AmazonsDay), State: session.Started,
	}, linkEnds, nil
}

// store stores a new session and returns the link to its update page.
func (s *Start) store(ctx context.Context, u session.Session, linkEnds time.Time) (link string, err error) {
	if link, err = s.Site.linkURL(ctx, u.ID, linkEnds); err != nil {
		return "", err
	}
	return link, s.Store.CreateSession(ctx, u)
}

// Issued is a link to the update page.
type Issued struct {
	ID      session.ID
	URL     string
	Expires time.Time
}

// NewLink starts an update of a charge permission and returns the link for the
// buyer. update is one of the kinds in package pages. A RefusedError is permanent.
func (s *Start) NewLink(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, update string) (Issued, error) {
	_, u, linkEnds, err := s.session(ctx, request{account: account, chargePermission: id, update: update})
	if p, ok := errors.AsType[*problem](err); ok && p.Status < http.StatusInternalServerError {
		return Issued{}, RefusedError{Code: p.Code}
	}
	if err != nil {
		return Issued{}, err
	}
	url, err := s.store(ctx, u, linkEnds)
	if err != nil {
		return Issued{}, err
	}
	s.Metrics.Count(telemetry.UpdateStarted, 1, telemetry.Labels{})
	return Issued{u.ID, url, linkEnds.UTC()}, nil
}

// RefusedError means that a charge permission cannot be updated. Its code is that of
// the answer of POST /update-sessions.
type RefusedError struct{ Code string }

func (e RefusedError) Error() string { return "update refused: " + e.Code }

// authenticate accepts only the merchant's server.
func (s *Start) authenticate(q *http.Request) error {
	denied := refuse(http.StatusUnauthorized, "unauthorized", "Show a valid key in the header Authorization: Bearer ….")
	if s.BearerKeys == nil {
		if s.Caller == nil || s.Caller(q) == "" {
			denied.Detail = "API Gateway did not authenticate the caller: the route needs its IAM authorizer."
			return denied
		}
		return nil
	}
	scheme, shown, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || shown == "" {
		return denied
	}
	// Hash first, so that the time of the comparison does not depend on the lengths.
	given := sha256.Sum256([]byte(shown))
	for _, refetch := range []bool{false, true} {
		keys, err := s.BearerKeys(q.Context(), refetch)
		if err != nil {
			return err
		}
		ok := 0
		for _, key := range keys {
			want := sha256.Sum256([]byte(key))
			ok |= subtle.ConstantTimeCompare(given[:], want[:])
		}
		if ok == 1 {
			return nil
		}
	}
	return denied
}

// permission returns the account and the charge permission of a request. It first
// reads a charge permission that was never read, or whose data was erased. Without
// the read, neither the product type is known nor whether there is anything to
// update.
func (s *Start) permission(ctx context.Context, r request) (Account, session.Permission, error) {
	stored, err := s.Store.Permissions(ctx, r.chargePermission)
	if err != nil {
		return Account{}, session.Permission{}, err
	}
	a, p, err := s.choose(r.account, stored)
	if err != nil {
		return Account{}, session.Permission{}, err
	}
	if p != nil && !p.Erased && (p.Followed || !a.Follow.Follows(p.Type)) {
		return a, *p, nil
	}
	reading, cancel := deadline.Within(ctx, readFor, pageTime)
	defer cancel()
	got, err := s.Refresher.Now(reading, wallet.Want{Account: a.ID, ChargePermission: r.chargePermission, Priority: wallet.PriorityReturn})
	switch {
	case err != nil:
		return a, session.Permission{}, unavailable(err)
	case got.State != nil && (got.Kind == "read" || p == nil || !p.Erased):
		return a, session.Permission{Account: a.ID, Type: got.State.Type, Followed: true, State: got.State.State.State,
			HasAddress: got.HasAddress || got.State.Shipping != (wallet.Address{})}, nil
	case got.Kind == "not_followed":
		return a, session.Permission{Account: a.ID}, nil
	case got.Kind == "gone":
		return a, session.Permission{Account: a.ID, Gone: true}, nil
	}
	return a, session.Permission{}, unavailable(errors.New("the stored data of the charge permission is not sufficient, and it cannot be read at present (" + got.Kind + ")"))
}

// choose chooses the account: the named one, or the one that has the charge
// permission, or the only one. The permission is nil if that account has never read
// it.
func (s *Start) choose(named wallet.AccountID, stored []session.Permission) (Account, *session.Permission, error) {
	if named != "" {
		a, known := s.Accounts.byID(named)
		if !known {
			return Account{}, nil, invalid(fieldErrors{{"account", "it is not the name of an account in the configuration"}})
		}
		for i := range stored {
			if stored[i].Account == named {
				return a, &stored[i], nil
			}
		}
		if len(stored) > 0 {
			return Account{}, nil, refuse(http.StatusConflict, "other_account", "The charge permission belongs to another account than the one named.")
		}
		return a, nil, nil
	}
	var a Account
	var found *session.Permission
	for i := range stored {
		of, known := s.Accounts.byID(stored[i].Account)
		if known && found != nil {
			return Account{}, nil, invalid(fieldErrors{{"account", "several accounts have this charge permission: name one"}})
		}
		if known {
			a, found = of, &stored[i]
		}
	}
	switch {
	case found != nil:
		return a, found, nil
	case len(stored) > 0:
		return Account{}, nil, refuse(http.StatusConflict, "other_account", "The charge permission belongs to an account that is not in the configuration any more.")
	case len(s.Accounts) == 1:
		return s.Accounts[0], nil, nil
	}
	return Account{}, nil, invalid(fieldErrors{{"account", "the charge permission was never read, and there are several accounts: name its account"}})
}

// updatable returns an error if a charge permission cannot be updated.
func updatable(p session.Permission) error {
	switch {
	case p.Gone:
		return refuse(http.StatusNotFound, "unknown_charge_permission", "Amazon Pay does not know this charge permission in this account and environment.")
	case !p.Followed:
		return refuse(http.StatusConflict, "not_followed", "This charge permission is of a type that is not kept in step; only Saved Wallets can be updated.")
	case p.State == wallet.Closed:
		return refuse(http.StatusConflict, "closed", "This charge permission is closed for good. The buyer must set up a new Saved Wallet.")
	case p.Type != "" && p.Type != paymentMethodOnFile:
		return refuse(http.StatusConflict, "not_updatable", "Amazon's update page takes charge permissions of the type "+paymentMethodOnFile+" alone.")
	}
	return nil
}

// ready serves the update page. It signs the payload now, not when the session is
// created, so that issued links survive a rotation of the signing key and of the
// secret that seals the state token in the return URL.
func (s *Start) ready(w http.ResponseWriter, q *http.Request) {
	ctx := q.Context()
	deny := func(kind pages.Kind, u session.Session) {
		s.Metrics.Count(telemetry.UpdatePageRefused, 1, telemetry.Labels{Reason: string(kind)})
		s.Site.problem(w, q, kind, u, "")
	}
	failed := func(err error) {
		zerolog.Ctx(ctx).Error().Err(err).Msg("serve update page: failed")
		s.Metrics.Count(telemetry.UpdatePageRefused, 1, telemetry.Labels{Reason: string(pages.Unavailable)})
		s.Site.problem(w, q, pages.Unavailable, session.Session{}, s.Site.PublicURL+"/update?"+q.URL.RawQuery)
	}
	token, err := oneValue(q.URL.RawQuery, "t")
	var id session.ID
	if err == nil {
		id, err = s.Site.Tokens.Open(ctx, Link, token)
	}
	_, expired := errors.AsType[expiredError](err)
	switch {
	case errors.Is(err, errForged), errors.Is(err, errQuery):
		deny(pages.LinkInvalid, session.Session{})
		return
	case err != nil && !expired:
		failed(err)
		return
	}
	u, found, err := s.Store.Session(ctx, id)
	if err != nil {
		failed(err)
		return
	}
	a, configured := s.Accounts.byID(u.Account)
	switch {
	case !found || !configured:
		deny(pages.NotFound, session.Session{})
	case u.State == session.Completed:
		deny(pages.Done, u)
	case expired, u.Erased, !s.Now().Before(u.ExpiresAt):
		deny(pages.LinkExpired, u)
	case u.CheckoutSessions >= session.MaxCheckoutSessions: // a return would be refused
		deny(pages.UsedUp, u)
	case u.Closed:
		deny(pages.Closed, u)
	default:
		c, err := s.checkout(ctx, a, u)
		if err != nil {
			failed(err)
			return
		}
		zerolog.Ctx(ctx).Info().Str("update_session", id.String()).Msg("update page served")
		s.Site.Pages.Ready(w, q, pages.Ready{
			Language: u.Locale, Update: u.Update, Failed: u.State == session.Failed, Checkout: c,
			RedirectOrigins: s.Site.redirectOrigins(u),
			MerchantName:    s.Site.MerchantName, MerchantURL: s.Site.wayOut(u),
		})
	}
}
