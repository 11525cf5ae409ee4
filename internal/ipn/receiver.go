package ipn

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/sns"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Queue takes what the receiver accepts.
type Queue interface {
	Send(ctx context.Context, m Message) error
}

// PathSecrets returns the valid secrets of an account's IPN path: the current and
// the previous one. With refetch it reads them from their source.
type PathSecrets interface {
	DoorSecrets(ctx context.Context, account wallet.AccountID, refetch bool) ([]string, error)
}

// Receiver is the IPN endpoint. It answers 200 only after the notification is on
// the queue.
type Receiver struct {
	Accounts    Accounts
	Opener      Opener
	PathSecrets PathSecrets
	Queue       Queue
	Metrics     *telemetry.Metrics
	Now         func() time.Time
}

// maxBody bounds a delivery: SNS's 256 KiB, each byte escaped.
const maxBody = 512 << 10

// refusal is an answer that is not 200.
type refusal struct {
	status int
	reason string // for metrics and logs
	err    error
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %v", r.reason, r.err) }
func (r *refusal) Unwrap() error { return r.err }

// Final reports whether a retry cannot succeed.
func Final(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status < http.StatusInternalServerError
}

// Handler answers POST /ipn/{account}/{secret}.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ipn/{account}/{secret}", func(w http.ResponseWriter, q *http.Request) {
		err := r.deliver(r.begin(q.Context()), wallet.AccountID(q.PathValue("account")), q.PathValue("secret"), q.Body)
		var refused *refusal
		switch {
		case err == nil:
			w.WriteHeader(http.StatusOK)
		case errors.As(err, &refused):
			http.Error(w, refused.reason, refused.status)
		default:
			http.Error(w, "unavailable", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		_ = r.refuse(r.begin(q.Context()), "", http.StatusNotFound, "path",
			errors.New("not POST /ipn/{account}/{secret}; the URL in Seller Central must be the one that the deployment prints"))
		http.NotFound(w, q)
	})
	return mux
}

// deliver takes an HTTP delivery on an account's path.
func (r *Receiver) deliver(ctx context.Context, id wallet.AccountID, secret string, body io.Reader) error {
	a, known := r.Accounts.byID(id)
	if !known {
		// The same answer as for a wrong secret, so that guessing reveals nothing.
		return r.refuse(ctx, "", http.StatusForbidden, "path", errors.New("no account has this path"))
	}
	ok, err := r.validSecret(ctx, a.ID, secret)
	if err != nil {
		return r.refuse(ctx, a.ID, http.StatusServiceUnavailable, "door_secret_unavailable", err)
	}
	if !ok {
		return r.refuse(ctx, a.ID, http.StatusForbidden, "path",
			errors.New("wrong secret in the path; the URL in Seller Central must be the one that the deployment prints"))
	}
	envelope, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return r.refuse(ctx, a.ID, http.StatusServiceUnavailable, "body", err)
	}
	if len(envelope) > maxBody {
		return r.refuse(ctx, a.ID, http.StatusRequestEntityTooLarge, "too_large", fmt.Errorf("more than %d bytes", maxBody))
	}
	m, err := r.open(ctx, a.ID, envelope)
	if err != nil {
		return err
	}
	return r.accept(ctx, a, m)
}

// Record takes a delivery without a path: SNS invoked the function itself. The
// account is the one that the topic belongs to.
func (r *Receiver) Record(ctx context.Context, envelope []byte) error {
	ctx = r.begin(ctx)
	m, err := r.open(ctx, "", envelope)
	if err != nil {
		return err
	}
	a, known := r.Accounts.byTopic(m.TopicARN)
	if !known {
		// Without a path secret only a pinned topic identifies the account
		// (invariant 4), so the message is recorded without one.
		return r.divert(ctx, Account{}, m, ReasonForeignTopic)
	}
	return r.accept(ctx, a, m)
}

// validSecret compares in constant time, also if the lengths differ.
func (r *Receiver) validSecret(ctx context.Context, a wallet.AccountID, secret string) (bool, error) {
	given := sha256.Sum256([]byte(secret))
	for _, refetch := range []bool{false, true} {
		secrets, err := r.PathSecrets.DoorSecrets(ctx, a, refetch)
		if err != nil {
			return false, err
		}
		for _, s := range secrets {
			want := sha256.Sum256([]byte(s))
			if s != "" && subtle.ConstantTimeCompare(given[:], want[:]) == 1 {
				return true, nil
			}
		}
	}
	return false, nil
}

func (r *Receiver) open(ctx context.Context, a wallet.AccountID, envelope []byte) (sns.Message, error) {
	r.Metrics.Count(telemetry.Received, 1, telemetry.Labels{Account: string(a)})
	m, err := r.Opener.Open(ctx, envelope)
	switch {
	case err == nil:
		return m, nil
	case sns.Forged(err):
		status, forged := http.StatusForbidden, 1
		switch sns.Reason(err) {
		case "malformed":
			status, forged = http.StatusBadRequest, 0 // not from SNS
			if rawNotification(envelope) {
				return m, r.refuse(ctx, a, status, ReasonRawDelivery, errors.New("notification without SNS envelope: switch raw message delivery off at the subscription"))
			}
		case "too_large":
			status, forged = http.StatusRequestEntityTooLarge, 0
		}
		r.Metrics.Count(telemetry.Forged, forged, telemetry.Labels{Account: string(a)})
		return m, r.refuse(ctx, a, status, sns.Reason(err), err)
	}
	return m, r.refuse(ctx, a, http.StatusServiceUnavailable, sns.Reason(err), err)
}

// accept acts on a verified message of an account.
func (r *Receiver) accept(ctx context.Context, a Account, m sns.Message) error {
	ok, unpinned := a.welcome(m.TopicARN)
	if !ok {
		return r.divert(ctx, a, m, ReasonForeignTopic)
	}
	labels := telemetry.Labels{Account: string(a.ID)}
	if unpinned {
		r.Metrics.Count(telemetry.Unpinned, 1, labels)
		zerolog.Ctx(ctx).Warn().Str("account", string(a.ID)).Str("topic", m.TopicARN).
			Msg("accepted from a topic that is not pinned: add its ARN to the account's topics")
	}
	switch m.Type {
	case sns.SubscriptionConfirmation:
		if err := r.Opener.Confirm(ctx, m); err != nil {
			if sns.Unavailable(err) {
				return r.refuse(ctx, a.ID, http.StatusServiceUnavailable, sns.Reason(err), err)
			}
			return r.refuse(ctx, a.ID, http.StatusForbidden, sns.Reason(err), err)
		}
		r.Metrics.Count(telemetry.Confirmed, 1, labels)
		r.line(ctx, zerolog.InfoLevel, "confirmed", a.ID).Str("topic", m.TopicARN).Msg("subscription confirmed")
		return nil
	case sns.UnsubscribeConfirmation:
		r.Metrics.Count(telemetry.SubscriptionEnded, 1, labels)
		r.line(ctx, zerolog.ErrorLevel, "ended", a.ID).Str("topic", m.TopicARN).
			Msg("subscription ended: no notifications arrive until the IPN URL is saved again in Seller Central")
		return nil
	}
	n, reason := parse(a, m, r.Now())
	if reason != "" {
		return r.divert(ctx, a, m, reason)
	}
	if err := r.Queue.Send(ctx, MessageOf(n)); err != nil {
		return r.refuse(ctx, a.ID, http.StatusServiceUnavailable, "queue", err)
	}
	r.Metrics.Count(telemetry.Queued, 1, labels)
	r.line(ctx, zerolog.InfoLevel, "queued", a.ID).Str("message_id", n.MessageID).Str("notification", n.NotificationID).
		Str("charge_permission", string(n.ChargePermission)).Str("object_type", n.ObjectType).Msg("queued")
	return nil
}

// divert queues a verified message that cannot be processed; the worker moves it
// to the dead-letter queue, where it can be inspected and redriven.
func (r *Receiver) divert(ctx context.Context, a Account, m sns.Message, reason string) error {
	if err := r.Queue.Send(ctx, divertedMessage(a.ID, m, reason, r.Now())); err != nil {
		return r.refuse(ctx, a.ID, http.StatusServiceUnavailable, "queue", err)
	}
	r.Metrics.Count(telemetry.Diverted, 1, telemetry.Labels{Account: string(a.ID), Reason: reason})
	r.line(ctx, zerolog.ErrorLevel, "diverted", a.ID).Str("reason", reason).Str("message_id", m.ID).Str("topic", m.TopicARN).
		Msg("verified message cannot be processed; see the dead-letter queue")
	return nil
}

func (r *Receiver) refuse(ctx context.Context, a wallet.AccountID, status int, reason string, err error) error {
	name, outcome := telemetry.Refused, "refused"
	if status >= http.StatusInternalServerError {
		name, outcome = telemetry.Unavailable, "unavailable"
	}
	r.Metrics.Count(name, 1, telemetry.Labels{Account: string(a), Reason: reason})
	r.line(ctx, zerolog.WarnLevel, outcome, a).Err(err).Str("reason", reason).Int("status", status).Msg(outcome)
	return &refusal{status, reason, err}
}

// began is the context key of the time at which a delivery began.
type began struct{}

func (r *Receiver) begin(ctx context.Context) context.Context {
	return context.WithValue(ctx, began{}, r.Now())
}

// line begins the log line with the outcome of a delivery. Each delivery has one.
func (r *Receiver) line(ctx context.Context, level zerolog.Level, outcome string, a wallet.AccountID) *zerolog.Event {
	l := zerolog.Ctx(ctx).WithLevel(level).Str("outcome", outcome).Str("account", string(a))
	if start, ok := ctx.Value(began{}).(time.Time); ok {
		l.Dur("duration", r.Now().Sub(start)) // milliseconds
	}
	return l
}
