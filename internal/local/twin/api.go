package twin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Call names what can be asked of the twin.
type Call string

// The calls that the twin answers, by Amazon's names for them. CheckoutScript and
// InitiateCheckout are a browser's: checkout.js, and the form that it posts.
// Two are SNS's, and Unknown is what fits no call.
const (
	GetChargePermission     Call = "GetChargePermission"
	GetCheckoutSession      Call = "GetCheckoutSession"
	CompleteCheckoutSession Call = "CompleteCheckoutSession"
	CheckoutScript          Call = "CheckoutScript"
	InitiateCheckout        Call = "InitiateCheckout"
	GetSigningCertificate   Call = "GetSigningCertificate"
	ConfirmSubscription     Call = "ConfirmSubscription"
	Unknown                 Call = "Unknown"
)

// operation is one call of Amazon Pay's API.
type operation struct {
	call   Call
	method string
	path   *regexp.Regexp // with the object's id as its group
	do     func(t *Twin, r apiRequest) answer
}

// operations are the calls that the twin models.
var operations = []operation{
	{GetChargePermission, http.MethodGet, regexp.MustCompile(`^v2/chargePermissions/([^/]*)$`), (*Twin).getChargePermission},
	{GetCheckoutSession, http.MethodGet, regexp.MustCompile(`^v2/checkoutSessions/([^/]*)$`), (*Twin).getCheckoutSession},
	{CompleteCheckoutSession, http.MethodPost, regexp.MustCompile(`^v2/checkoutSessions/([^/]*)/complete$`), (*Twin).completeCheckoutSession},
}

// apiRequest is a verified request of an account.
type apiRequest struct {
	account *account
	id      string // of the object in the path, if the operation has one
	payload []byte
}

// answer is what a call answers, before any fault.
type answer struct {
	status int
	body   []byte // JSON
	header http.Header
}

const (
	requestIDHeader   = "X-Amz-Pay-Request-Id"
	idempotencyHeader = "x-amz-pay-idempotency-key"
)

// encodeJSON encodes v as Amazon does: markup characters as they are.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// jsonAnswer returns an answer with v as its body.
func jsonAnswer(status int, v any) answer {
	b, err := encodeJSON(v)
	if err != nil {
		return errorAnswer(http.StatusInternalServerError, "InternalServerError", "The twin could not write its answer: "+err.Error())
	}
	return answer{status: status, body: b}
}

// errorAnswer returns an error as the API words it.
func errorAnswer(status int, reasonCode, message string) answer {
	return jsonAnswer(status, struct {
		ReasonCode string `json:"reasonCode"`
		Message    string `json:"message"`
	}{reasonCode, message})
}

// serveAPI is Amazon Pay's API: authentication, then the fault that stands for
// "not applied", the quota, the call itself, and the fault that loses its
// answer.
func (t *Twin) serveAPI(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	a, err := arrive(r)
	if err != nil {
		t.send(w, r, outcome{call: Unknown, answer: errorAnswer(http.StatusBadRequest, "InvalidRequestFormat", err.Error())})
		return
	}
	owner, refused := t.authenticate(&a)
	if refused != nil {
		t.count(func(s *Stats) { s.Refused++ })
		t.log.Warn().Str("reason", refused.reason).Strs("differs", refused.differs).Strs("canonical", refused.arrived.numbered()).Msg("request refused")
		t.send(w, r, outcome{call: Unknown, answer: jsonAnswer(refused.status, refused.body())})
		return
	}
	op, id, refusal := t.route(a)
	o := outcome{call: op.call, id: id, answer: refusal}
	if refusal.status == 0 {
		o = t.perform(r, op.call, id, func() answer {
			if !t.allow(owner, op.call) {
				return errorAnswer(http.StatusTooManyRequests, "TooManyRequests", "The rate of requests is greater than what the account is allowed.")
			}
			do := func() answer { return op.do(t, apiRequest{owner, id, a.payload}) }
			if a.method == http.MethodPost {
				return t.once(owner, a, do)
			}
			return do()
		})
	}
	t.log.Info().Str("call", string(o.call)).Str("account", owner.name()).Str("id", id).Int("status", o.answer.status).
		Bool("lost", o.lost != "").Dur("took", time.Since(start)).Msg("API call")
	t.send(w, r, o)
}

// route returns the operation that a request asks for and the id in its path,
// or the error to answer.
func (t *Twin) route(a arrival) (op operation, id string, refusal answer) {
	path := decode(strings.Trim(collapse(a.path), "/"))
	path = strings.TrimPrefix(strings.TrimPrefix(path, "live/"), "sandbox/")
	op.call = Unknown
	if version, _, _ := strings.Cut(path, "/"); version != "v2" {
		return op, "", errorAnswer(http.StatusBadRequest, "InvalidAPIVersion", "The API version "+clip(version, 20)+" is not supported.")
	}
	known := false
	for _, o := range operations {
		m := o.path.FindStringSubmatch(path)
		if m != nil && o.method == a.method {
			return o, m[1], answer{}
		}
		known = known || m != nil
	}
	if known {
		return op, "", errorAnswer(http.StatusMethodNotAllowed, "UnsupportedOperation", "The method "+a.method+" is not supported for this resource.")
	}
	return op, "", errorAnswer(http.StatusNotFound, "ResourceNotFound", "The requested resource was not found; the twin models no call of this path.")
}

// outcome is what becomes of a call.
type outcome struct {
	call   Call
	id     string
	answer answer
	lost   string // "reset" or "silent": the answer never arrives
	date   string // "none" or "garbled"
	script string // "throws" or "nothing"
}

// perform does a call with whatever fault it meets.
func (t *Twin) perform(r *http.Request, call Call, id string, do func() answer) outcome {
	o := outcome{call: call, id: id}
	fault, faulty := t.callFault(call, id)
	o.date, o.script = fault.Date, fault.Script
	// strikes reports whether the fault took the place of the answer.
	strikes := func(applied bool) bool {
		switch {
		case !faulty || fault.Applied != applied:
			return false
		case !t.wait(r.Context(), time.Duration(fault.Delay)):
			o.lost = "reset"
			return true
		case fault.fails():
			o.answer, o.lost = fault.answer(), fault.Connection
			return true
		}
		return false
	}
	if strikes(false) {
		return o
	}
	t.holdCall(r.Context(), call, id, false)
	o.answer = fault.patched(do())
	t.holdCall(r.Context(), call, id, true)
	strikes(true)
	return o
}

// send writes an outcome; one without an answer breaks the connection or waits
// until the client gives up.
func (t *Twin) send(w http.ResponseWriter, r *http.Request, o outcome) {
	if o.lost != "" {
		t.countCall(o.call, o.lost)
		if o.lost == "silent" {
			select {
			case <-r.Context().Done():
			case <-t.ctx.Done():
			}
		}
		panic(http.ErrAbortHandler) // net/http closes the connection without an answer
	}
	t.countCall(o.call, statusText(o.answer.status))
	h := w.Header()
	for name, values := range o.answer.header {
		h[name] = slices.Clone(values)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
		h.Set(requestIDHeader, t.uuid())
	}
	switch o.date {
	case "none":
		h["Date"] = nil // net/http would add its own
	case "garbled":
		h.Set("Date", "yesterday, about noon")
	default:
		h.Set("Date", t.now().UTC().Format(http.TimeFormat))
	}
	w.WriteHeader(o.answer.status)
	_, _ = w.Write(o.answer.body) // the client is gone if it fails
}
