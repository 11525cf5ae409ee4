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

// maxControlBody bounds a request's body, which may be a trace.
const maxControlBody = maxTrace * maxTraceLine / 8

// controlHandler is the control API; internal/local/README.md has its table.
func (t *Twin) controlHandler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
			v, err := f(r)
			reply(w, v, err)
		})
	}
	handle("GET /charge-permissions", func(*http.Request) (any, error) { return t.List(), nil })
	handle("GET /charge-permissions/{id}", func(r *http.Request) (any, error) { return t.Get(r.PathValue("id")) })
	handle("POST /charge-permissions/{id}", func(r *http.Request) (any, error) {
		n, err := notifyOf(r.URL.Query())
		if err != nil {
			return nil, err
		}
		patch, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		c, err := t.Change(r.PathValue("id"), patch, n)
		return c.Now, err
	})
	handle("POST /charge-permissions/{id}/act", func(r *http.Request) (any, error) {
		n, err := notifyOf(r.URL.Query())
		if err != nil {
			return nil, err
		}
		c, err := t.Act(r.PathValue("id"), r.URL.Query().Get("do"), n)
		return c.Now, err
	})
	handle("POST /notifications", t.controlPublish)
	handle("POST /trace", t.controlTrace)
	handle("GET /checkout-sessions", func(*http.Request) (any, error) { return t.CheckoutSessions(), nil })
	handle("GET /checkout-sessions/{id}", func(r *http.Request) (any, error) { return t.CheckoutSession(r.PathValue("id")) })
	handle("POST /checkout-sessions", t.controlWalk)
	handle("POST /checkout-sessions/{id}/age", func(r *http.Request) (any, error) {
		by, err := parseDuration(r.URL.Query().Get("by"))
		if err != nil {
			return nil, err
		}
		return struct{}{}, t.AgeCheckoutSession(r.PathValue("id"), by)
	})
	handle("GET /faults", func(*http.Request) (any, error) { return t.Faults(), nil })
	handle("POST /faults", func(r *http.Request) (any, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		f, err := ParseFaults(body)
		if err != nil {
			return nil, err
		}
		return f, t.SetFaults(f)
	})
	handle("GET /stats", func(*http.Request) (any, error) { return t.Stats(), nil })
	handle("POST /reset-stats", func(*http.Request) (any, error) {
		t.ResetStats()
		return t.Stats(), nil
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

// accepted is answered with the status 202.
type accepted map[string]any

// controlPublish sends a given message signed: any JSON, or with raw=true any text.
func (t *Twin) controlPublish(r *http.Request) (any, error) {
	n, err := notifyOf(r.URL.Query())
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.URL.Query().Get("raw") != "true" && !json.Valid(body) {
		return nil, errors.New("the body is not JSON; add ?raw=true to send any text")
	}
	var named struct{ ChargePermissionID string }
	_ = json.Unmarshal(body, &named) // faults choose notifications by it
	sent := []string{}
	for range max(1, n.Times) {
		id, err := t.Publish(string(body), named.ChargePermissionID, n)
		if err != nil {
			return nil, err
		}
		sent = append(sent, id)
	}
	return accepted{"messageIds": sent}, nil
}

// controlTrace plays a trace, faster=10 times faster, and answers when it has
// been read: it may take long.
func (t *Twin) controlTrace(r *http.Request) (any, error) {
	faster := 1.0
	if text := r.URL.Query().Get("faster"); text != "" {
		var err error
		if faster, err = strconv.ParseFloat(text, 64); err != nil || !(faster > 0) {
			return nil, fmt.Errorf("%q is no number above 0", clip(text, 40))
		}
	}
	trace, err := ReadTrace(r.Body)
	if err != nil {
		return nil, err
	}
	t.task(func(ctx context.Context) {
		if err := t.Play(ctx, trace, faster); err != nil && ctx.Err() == nil {
			t.log.Warn().Err(err).Msg("the trace was not played to its end")
		}
	})
	return accepted{"notifications": len(trace)}, nil
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
	refused, isButton := errors.AsType[*ButtonError](err)
	_, later := v.(accepted)
	status := http.StatusBadRequest
	switch {
	case isButton:
		writeJSON(w, refused.Status, refused)
		return
	case err == nil && later:
		status = http.StatusAccepted
	case err == nil:
		status = http.StatusOK
	case errors.Is(err, ErrUnknown):
		status = http.StatusNotFound
	case errors.Is(err, ErrFinal), errors.Is(err, ErrOver):
		status = http.StatusConflict
	}
	if err != nil {
		v = map[string]string{"error": err.Error()}
	}
	writeJSON(w, status, v)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	b, _ := encodeJSON(v) // the answers of the API always marshal
	_, _ = w.Write(append(b, '\n'))
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
func (t *Twin) controlWalk(r *http.Request) (any, error) {
	var given walk
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&given); err != nil {
		return nil, fmt.Errorf("the body is not {checkout, choose}: %w", err)
	}
	b := given.Checkout.Button
	if c := given.Checkout.Config; c != nil {
		b.PayloadJSON, b.Signature, b.PublicKeyID, b.Algorithm = c.PayloadJSON, c.Signature, c.PublicKeyID, c.Algorithm
	}
	return t.Walk(b, given.Choose)
}
