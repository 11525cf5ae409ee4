// Package ipn receives Amazon Pay's Instant Payment Notifications: the Receiver
// says what to answer and what to queue, the Worker makes a batch of the queue
// into what the refresh needs. It is the only caller of package sns.
//
// A notification says only that a charge permission may have changed. What
// cannot be verified is refused for good (4xx); our own trouble is 503, so that
// SNS comes again; what verifies and cannot be acted upon goes the way of the
// queue to the dead-letter queue, with its reason. Nothing is dropped.
//
// Sources: Amazon Pay, "Instant Payment Notifications"; Amazon SNS Developer
// Guide, "Amazon SNS message delivery retries".
package ipn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"walletsync/internal/sns"
	"walletsync/internal/wallet"
)

// Account is what the room needs to know of an account.
type Account struct {
	ID         wallet.AccountID
	MerchantID string
	Topics     []string // ARNs; none: not pinned yet
}

// Accounts are those of the deployment.
type Accounts []Account

func (as Accounts) byID(id wallet.AccountID) (Account, bool) {
	i := slices.IndexFunc(as, func(a Account) bool { return a.ID == id })
	if i < 0 {
		return Account{}, false
	}
	return as[i], true
}

// byTopic finds the account of a delivery without a path. A topic belongs to
// one account.
func (as Accounts) byTopic(arn string) (Account, bool) {
	i := slices.IndexFunc(as, func(a Account) bool { return slices.Contains(a.Topics, arn) })
	if i < 0 {
		return Account{}, false
	}
	return as[i], true
}

// Opener verifies what SNS delivered; *sns.Opener does.
type Opener interface {
	Open(ctx context.Context, envelope []byte) (sns.Message, error)
	Confirm(ctx context.Context, m sns.Message) error
}

// The reasons for which a verified message goes to the dead-letter queue. They
// are words for metrics and for the operator who looks there.
const (
	ReasonUnreadable     = "unreadable"      // not the JSON of an IPN
	ReasonWrongMerchant  = "wrong_merchant"  // names another merchant id than the account's
	ReasonForeignTopic   = "foreign_topic"   // pin the topic's ARN in the account, then redrive
	ReasonUnknownAccount = "unknown_account" // the configuration has no such account any more
	ReasonUnknownKind    = "unknown_kind"    // of a newer release, or not of ours
	ReasonForged         = "forged"          // in the queue by a relay, and not signed by SNS
)

// notification is the member Message of the envelope. encoding/json matches
// member names without case, and sources disagree on it.
type notification struct {
	MerchantID          string
	ObjectType          string
	ObjectID            string
	ChargePermissionID  string
	NotificationType    string
	NotificationID      string
	NotificationVersion string
}

// oldKind is the object type under which a notification of the kind before V2
// is recorded; it holds XML, and nothing is done with it.
const oldKind = "OLD_VERSION"

// parse reads a verified message of an account. A reason that is not empty says
// why it cannot be acted upon.
func parse(a Account, m sns.Message, arrived time.Time) (n wallet.Notification, reason string) {
	var in notification
	if err := json.Unmarshal([]byte(m.Body), &in); err != nil {
		return n, ReasonUnreadable
	}
	n = wallet.Notification{
		Account: a.ID, MessageID: m.ID, NotificationID: word(in.NotificationID), ObjectType: word(in.ObjectType),
		ObjectID: word(in.ObjectID), Type: word(in.NotificationType), Published: m.Timestamp.UTC(), Arrived: arrived.UTC(),
	}
	if in.NotificationVersion != "V2" {
		n.ObjectType = oldKind
		return n, ""
	}
	if in.MerchantID != a.MerchantID {
		return n, ReasonWrongMerchant
	}
	var err error
	if n.ChargePermission, err = wallet.ParseChargePermissionID(in.ChargePermissionID); err == nil {
		return n, ""
	}
	if n.ChargePermission, err = wallet.ChargePermissionOf(in.ObjectID); err != nil {
		return n, ReasonUnreadable
	}
	return n, ""
}

// word keeps what Amazon named something storable: no control characters, and
// no longer than any id or type is.
func word(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), 128)], "") // the cut may split a character
}

// welcome reports whether a topic may speak for the account, and whether that is
// only because none is pinned yet.
func (a Account) welcome(topic string) (ok, unpinned bool) {
	if len(a.Topics) == 0 {
		return true, true
	}
	return slices.Contains(a.Topics, topic), false
}

// version is that of the queue's messages.
const version = 1

// maxEnvelope is the most of an envelope that travels: enough for any IPN
// (about 1 kB), and bounded for what is not one.
const maxEnvelope = 8 << 10

// The kinds of queue messages.
const (
	KindIPN        = "ipn"
	KindWake       = "wake"
	KindUnreadable = "unreadable" // verified, not to be acted upon: on its way to the dead-letter queue
)

// Message is a message on our queue: ids and times only. An unreadable one
// carries its envelope whole, so that an operator can see and redrive it.
type Message struct {
	V                int                       `json:"v"`
	Kind             string                    `json:"kind"`
	Account          wallet.AccountID          `json:"account"`
	MessageID        string                    `json:"messageId,omitempty"`
	NotificationID   string                    `json:"notificationId,omitempty"`
	ObjectType       string                    `json:"objectType,omitempty"`
	ObjectID         string                    `json:"objectId,omitempty"`
	ChargePermission wallet.ChargePermissionID `json:"chargePermissionId,omitempty"`
	Type             string                    `json:"notificationType,omitempty"`
	Published        time.Time                 `json:"published,omitzero"`
	Arrived          time.Time                 `json:"arrived,omitzero"`
	At               time.Time                 `json:"at,omitzero"` // of a wake-up
	Reason           string                    `json:"reason,omitempty"`
	Topic            string                    `json:"topic,omitempty"`
	Body             string                    `json:"body,omitempty"` // SNS's Message, of an unreadable one
}

// MessageOf writes a notification for the queue.
func MessageOf(n wallet.Notification) Message {
	return Message{V: version, Kind: KindIPN, Account: n.Account, MessageID: n.MessageID, NotificationID: n.NotificationID,
		ObjectType: n.ObjectType, ObjectID: n.ObjectID, ChargePermission: n.ChargePermission, Type: n.Type,
		Published: n.Published, Arrived: n.Arrived}
}

// WakeMessage writes a wake-up for the queue.
func WakeMessage(w wallet.Wake) Message {
	return Message{V: version, Kind: KindWake, Account: w.Account, At: w.At}
}

// divertedMessage writes a verified message that cannot be acted upon.
func divertedMessage(a wallet.AccountID, m sns.Message, reason string, arrived time.Time) Message {
	d := Message{V: version, Kind: KindUnreadable, Account: a, MessageID: m.ID, Published: m.Timestamp.UTC(), Arrived: arrived.UTC(),
		Reason: reason, Topic: m.TopicARN}
	if len(m.Body) <= maxEnvelope {
		d.Body = m.Body
	}
	return d
}

// Encode writes the message as it travels.
func (m Message) Encode() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("ipn: message %s: %v", m.Kind, err)) // strings and times in range
	}
	return string(b)
}

// decode reads a message of ours. It fails for what this release does not know.
func decode(body string) (Message, error) {
	var m Message
	// The errors quote nothing of the message: it may be anyone's.
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return m, errors.New("not the JSON of a message of ours")
	}
	if m.V != version {
		return m, fmt.Errorf("version %d of the queue's messages is not known to this release", m.V)
	}
	if _, err := wallet.ParseAccountID(string(m.Account)); err != nil {
		return m, errors.New("a message without an account's name")
	}
	switch m.Kind {
	case KindWake:
		return m, nil
	case KindIPN, KindUnreadable:
		for _, s := range []string{m.MessageID, m.NotificationID, m.ObjectType, m.ObjectID, m.Type} {
			if word(s) != s {
				return m, fmt.Errorf("a %s message with an id that is none", m.Kind)
			}
		}
		if m.MessageID == "" || m.Published.IsZero() {
			return m, fmt.Errorf("a %s message without message id or time", m.Kind)
		}
		if m.ChargePermission == "" {
			return m, nil
		}
		if _, err := wallet.ParseChargePermissionID(string(m.ChargePermission)); err != nil {
			return m, fmt.Errorf("a %s message of what is no charge permission", m.Kind)
		}
		return m, nil
	}
	return m, errors.New("a kind of message that is not known to this release")
}

// notification returns what an ipn message says.
func (m Message) notification() wallet.Notification {
	return wallet.Notification{Account: m.Account, MessageID: m.MessageID, NotificationID: m.NotificationID,
		ObjectType: m.ObjectType, ObjectID: m.ObjectID, ChargePermission: m.ChargePermission, Type: m.Type,
		Published: m.Published, Arrived: m.Arrived}
}
