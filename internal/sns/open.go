package sns

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/singleflight"
)

// MessageType is what a message is for.
type MessageType string

// The types of messages.
const (
	Notification             MessageType = "Notification"
	SubscriptionConfirmation MessageType = "SubscriptionConfirmation" // wants Confirm
	UnsubscribeConfirmation  MessageType = "UnsubscribeConfirmation"  // the subscription has ended
)

// Message is what SNS signed. One comes only from Open.
type Message struct {
	Type      MessageType
	ID        string // the same for every delivery of the message
	TopicARN  string // of a valid form
	Subject   string // empty if there is none
	Body      string // the member Message
	Timestamp time.Time
	Token     string // of a confirmation; empty in a Notification

	// SignatureVersion is the one that was verified: "1" or "2".
	SignatureVersion string

	// endpoint is the topic's SNS host, empty in a Message not made by Open.
	endpoint string
}

// Options of an Opener. The zero value of each is fit for use.
type Options struct {
	// HTTPClient fetches certificates and confirms subscriptions; nil means
	// NewHTTPClient(nil). Only its transport and time-out are used: redirects
	// and cookies are refused.
	HTTPClient *http.Client

	// Roots are what a certificate chain must lead to where SNS serves one, nil
	// means the system's. They do not concern TLS: see NewHTTPClient.
	Roots *x509.CertPool

	// MaxMessage bounds an envelope, in bytes; 0 means 512 KiB: SNS's own 256
	// KiB, each byte escaped.
	MaxMessage int

	// MaxCertificates bounds those kept; 0 means 64. SNS has about one in use
	// for each of its regions.
	MaxCertificates int

	// FetchTimeout bounds fetching a certificate and confirming a subscription;
	// 0 means 5 s. SNS waits for 15 s.
	FetchTimeout time.Duration

	// Now returns the time, by which a missing certificate is fetched again; nil
	// means time.Now. It has no effect on the verification.
	Now func() time.Time
}

// Opener verifies messages. It is safe for concurrent use, and should be kept:
// it holds the certificates.
type Opener struct {
	http       *http.Client
	roots      *x509.CertPool
	maxMessage int
	timeout    time.Duration
	now        func() time.Time

	flights singleflight.Group
	fetches chan struct{} // holds one for each under way
	known   *cache[certificate]
	missing *cache[missing]
}

// NewOpener returns an Opener.
func NewOpener(options Options) *Opener {
	o := &Opener{
		// A client of its own, because the caller's may serve others too.
		http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
		roots:      options.Roots,
		maxMessage: cmp.Or(max(0, options.MaxMessage), 512<<10),
		timeout:    cmp.Or(max(0, options.FetchTimeout), 5*time.Second),
		now:        options.Now,
		fetches:    make(chan struct{}, maxFetches),
		known:      newCache[certificate](cmp.Or(max(0, options.MaxCertificates), 64)),
		missing:    newCache[missing](maxMissing),
	}
	if options.HTTPClient != nil {
		o.http.Transport, o.http.Timeout = options.HTTPClient.Transport, options.HTTPClient.Timeout
	}
	if o.http.Transport == nil {
		o.http.Transport = NewHTTPClient(nil).Transport
	}
	if o.now == nil {
		o.now = time.Now
	}
	return o
}

// Open returns the message that the envelope holds, if Amazon SNS signed it. It
// fetches a certificate that it does not have yet. An error is
// either Forged or Unavailable.
func (o *Opener) Open(ctx context.Context, envelope []byte) (Message, error) {
	if len(envelope) > o.maxMessage {
		return Message{}, fail(reasonTooLarge, "%d bytes, more than %d", len(envelope), o.maxMessage)
	}
	e, err := parse(envelope)
	if err != nil {
		return Message{}, err
	}
	c, err := o.certificate(ctx, e.certificateURL)
	if err != nil {
		return Message{}, err
	}
	if err := e.verify(c); err != nil {
		return Message{}, err
	}
	return e.message, nil
}

// Confirm confirms the subscription that m, which Open returned, asks for. The
// URL is made of the topic and the token; the one in the message is not used.
// Confirming again does no harm.
func (o *Opener) Confirm(ctx context.Context, m Message) error {
	if m.endpoint == "" || m.Type != SubscriptionConfirmation {
		return fail(reasonConfirmRefused, "not an opened SubscriptionConfirmation")
	}
	target := "https://" + m.endpoint + "/?" + url.Values{
		"Action":   {"ConfirmSubscription"},
		"TopicArn": {m.TopicARN},
		"Token":    {m.Token},
	}.Encode()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	status, _, err := o.get(ctx, target)
	switch {
	case err != nil:
		return &failure{reasonConfirmUnavailable, err}
	case status >= 200 && status <= 299:
		return nil
	case status >= 400 && status <= 499 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
		return fail(reasonConfirmRefused, "HTTP status %d", status)
	}
	return fail(reasonConfirmUnavailable, "HTTP status %d", status)
}

// maxResponse bounds a response of SNS, in bytes: a certificate has about 2 kB.
const maxResponse = 64 << 10

// get returns the response's status and body, the latter cut off one byte after
// maxResponse.
func (o *Opener) get(ctx context.Context, target string) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, nil, cause(err)
	}
	resp, err := o.http.Do(r)
	if err != nil {
		return 0, nil, cause(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer: %w", cause(err))
	}
	return resp.StatusCode, body, nil
}
