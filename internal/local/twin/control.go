package twin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

const maxControlBody = 1 << 20

// controlHandler is the control API; internal/local/README.md has its table.
func (t *Twin) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /charge-permissions", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, t.List()) })
	mux.HandleFunc("GET /charge-permissions/{id}", func(w http.ResponseWriter, r *http.Request) {
		p, err := t.Get(r.PathValue("id"))
		reply(w, p, err)
	})
	mux.HandleFunc("POST /charge-permissions/{id}", func(w http.ResponseWriter, r *http.Request) {
		n, err := notifyOf(r.URL.Query())
		if err != nil {
			reply(w, nil, err)
			return
		}
		patch, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
		if err != nil {
			reply(w, nil, err)
			return
		}
		c, err := t.Change(r.PathValue("id"), patch, n)
		reply(w, c.Now, err)
	})
	mux.HandleFunc("POST /charge-permissions/{id}/act", func(w http.ResponseWriter, r *http.Request) {
		n, err := notifyOf(r.URL.Query())
		if err != nil {
			reply(w, nil, err)
			return
		}
		c, err := t.Act(r.PathValue("id"), r.URL.Query().Get("do"), n)
		reply(w, c.Now, err)
	})
	mux.HandleFunc("POST /notifications", t.controlPublish)
	mux.HandleFunc("POST /trace", t.controlTrace)
	mux.HandleFunc("GET /checkout-sessions", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, t.CheckoutSessions()) })
	mux.HandleFunc("GET /checkout-sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
		s, err := t.CheckoutSession(r.PathValue("id"))
		reply(w, s, err)
	})
	mux.HandleFunc("POST /checkout-sessions", t.controlWalk)
	mux.HandleFunc("POST /checkout-sessions/{id}/age", func(w http.ResponseWriter, r *http.Request) {
		by, err := parseDuration(r.URL.Query().Get("by"))
		if err == nil {
			err = t.AgeCheckoutSession(r.PathValue("id"), by)
		}
		reply(w, struct{}{}, err)
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, t.Faults()) })
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
		var f Faults
		if err == nil {
			f, err = ParseFaults(body)
		}
		if err == nil {
			err = t.SetFaults(f)
		}
		reply(w, f, err)
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, t.Stats()) })
	mux.HandleFunc("POST /reset-stats", func(w http.ResponseWriter, _ *http.Request) {
		t.ResetStats()
		writeJSON(w, http.StatusOK, t.Stats())
	})
	return localOnly(http.NewCrossOriginProtection().Handler(mux))
}

// localOnly refuses requests that address the listener by another name than a
// loopback one: a web page that rebinds its name must not reach it.
func localOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOnly(r.Host)
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "address the twin as 127.0.0.1", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// controlPublish sends a given message signed: any JSON, or with raw=true any text.
func (t *Twin) controlPublish(w http.ResponseWriter, r *http.Request) {
	n, err := notifyOf(r.URL.Query())
	if err != nil {
		reply(w, nil, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
	if err != nil {
		reply(w, nil, err)
		return
	}
	if r.URL.Query().Get("raw") != "true" && !json.Valid(body) {
		reply(w, nil, errors.New("the body is not JSON; add ?raw=true to send any text"))
		return
	}
	var named struct{ ChargePermissionID string }
	_ = json.Unmarshal(body, &named) // only tells faults which notification it is
	sent := []string{}
	for range max(1, n.Times) {
		id, err := t.Publish(string(body), named.ChargePermissionID, n)
		if err != nil {
			reply(w, nil, err)
			return
		}
		sent = append(sent, id)
	}
	writeJSON(w, http.StatusAccepted, map[string][]string{"messageIds": sent})
}

// controlTrace plays a trace, faster=10 times faster, and answers when it has
// been read: it may take long.
func (t *Twin) controlTrace(w http.ResponseWriter, r *http.Request) {
	faster := 1.0
	if text := r.URL.Query().Get("faster"); text != "" {
		var err error
		if faster, err = strconv.ParseFloat(text, 64); err != nil || !(faster > 0) {
			reply(w, nil, fmt.Errorf("%q is no number above 0", clip(text, 40)))
			return
		}
	}
	trace, err := ReadTrace(http.MaxBytesReader(w, r.Body, maxTrace*maxTraceLine/8))
	if err != nil {
		reply(w, nil, err)
		return
	}
	t.task(func(ctx context.Context) {
		if err := t.Play(ctx, trace, faster); err != nil && ctx.Err() == nil {
			t.log.Warn().Err(err).Msg("the trace was not played to its end")
		}
	})
	writeJSON(w, http.StatusAccepted, map[string]int{"notifications": len(trace)})
}

// notifyOf reads the options of a notification from the query.
func notifyOf(q url.Values) (n Notify, err error) {
	for name := range q {
		v := q.Get(name)
		switch name {
		case "notify":
			n.Silent = v == "false"
		case "type":
			n.Type = v
		case "objectType":
			n.ObjectType = v
		case "objectId":
			n.ObjectID = v
		case "account":
			n.Account = v
		case "topic":
			n.Topic = v
		case "signatureVersion":
			n.Version = v
		case "times":
			n.Times, err = strconv.Atoi(v)
		case "delay":
			n.Delay, err = parseDuration(v)
		case "age":
			n.Age, err = parseDuration(v)
		case "do", "raw":
		default:
			err = fmt.Errorf("there is no option %q", clip(name, 40))
		}
		if err != nil {
			return n, err
		}
	}
	return n, n.check()
}

func reply(w http.ResponseWriter, v any, err error) {
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, v)
	case errors.Is(err, ErrUnknown):
		writeJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
	case errors.Is(err, ErrFinal), errors.Is(err, ErrOver):
		writeJSON(w, http.StatusConflict, map[string]string{"error": err.Error()})
	default:
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}

// walk is the body of POST /checkout-sessions: what the button's page gives to
// initCheckout, in Amazon's form, and what the buyer does then.
type walk struct {
	Checkout struct {
		Button
		Config *struct {
			PayloadJSON string `json:"payloadJSON"`
			Signature   string `json:"signature"`
			PublicKeyID string `json:"publicKeyId"`
			Algorithm   string `json:"algorithm"`
		} `json:"createCheckoutSessionConfig"`
		ScriptURL string `json:"scriptUrl"` // of update-start's answer; not looked at
	} `json:"checkout"`
	Choose Choice `json:"choose"`
}

// controlWalk walks the hosted page for a test.
func (t *Twin) controlWalk(w http.ResponseWriter, r *http.Request) {
	var given walk
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&given); err != nil {
		reply(w, nil, fmt.Errorf("the body is not {checkout, choose}: %w", err))
		return
	}
	b := given.Checkout.Button
	if c := given.Checkout.Config; c != nil {
		b.PayloadJSON, b.Signature, b.PublicKeyID, b.Algorithm = c.PayloadJSON, c.Signature, c.PublicKeyID, c.Algorithm
	}
	walked, err := t.Walk(b, given.Choose)
	var refused *ButtonError
	if errors.As(err, &refused) {
		writeJSON(w, refused.Status, refused)
		return
	}
	reply(w, walked, err)
}
