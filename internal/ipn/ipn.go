// Package ipn receives Amazon Pay's Instant Payment Notifications: the Receiver
// answers and queues them, the Worker turns a batch of the queue into refresh
// requests. It is the only caller of package sns.
//
// A notification means only that a charge permission may have changed. Input that
// cannot be verified is refused for good (4xx). If walletsync cannot take it, the
// answer is 503, so that SNS retries. Verified input that cannot be processed goes
// through the queue to the dead-letter queue, with its reason. Nothing is dropped.
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

// Account is the part of an account's configuration that this package needs.
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
// appear in metrics, logs and the dead-letter queue.
const (
	ReasonUnreadable     = "unreadable"      // not a JSON object
	ReasonNamesNothing   = "names_nothing"   // no charge permission, charge or refund in it, nor anything of the old kind
	ReasonWrongMerchant  = "wrong_merchant"  // names another merchant id than the account's
	ReasonForeignTopic   = "foreign_topic"   // pin the topic's ARN in the account, then redrive
	ReasonUnknownAccount = "unknown_account" // the configuration has no such account any more
	ReasonUnknownKind    = "unknown_kind"    // of a newer release, or not of ours
	ReasonForged         = "forged"          // in the queue by a relay, and not signed by SNS
	ReasonRawDelivery    = "raw_delivery"    // a notification without its envelope, which nothing can verify
	// SNS answers that the signing certificate does not exist, for an hour.
	ReasonCertificateMissing = "certificate_missing"
)

// notification is the member Message of the envelope. encoding/json matches
// member names without case, and sources disagree on it.
type notification struct {
	MerchantID         text
	ObjectType         text
	ObjectID           text
	ChargePermissionID text
	NotificationType   text
	NotificationID     text
	NotificationData   text // XML, of the kind before V2
}

// text is a member that is read on its own: anything but a string counts as
// absent, and does not keep the others from being read.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	}
	return nil
}

// rawNotification reports whether a body is Amazon Pay's part of a notification
// without SNS's envelope, as raw message delivery at a subscription leaves it.
func rawNotification(body []byte) bool {
	var in struct {
		notification
		Type, Kind text // SNS's envelope has the one, our own messages have the other
	}
	return json.Unmarshal(body, &in) == nil && in.Type == "" && in.Kind == "" && (in.MerchantID != "" || in.NotificationData != "")
}

// oldKind is the object type under which a notification of the kind before V2
// is recorded; it holds XML, and nothing is done with it.
const oldKind = "OLD_VERSION"

// parse reads a verified message of an account. If it cannot be processed, the
// reason is not empty.
//
// The ids in a notification decide, not its NotificationVersion: a wrong guess
// costs one call. Only a notification without an id that has the old kind's data
// is of the old kind.
func parse(a Account, m sns.Message, arrived time.Time) (n wallet.Notification, reason string) {
	var in notification
	if err := json.Unmarshal([]byte(m.Body), &in); err != nil {
		return n, ReasonUnreadable
	}
	n = wallet.Notification{
		Account: a.ID, MessageID: m.ID, NotificationID: word(in.NotificationID), ObjectType: objectType(in.ObjectType),
		ObjectID: word(in.ObjectID), Type: word(in.NotificationType), Published: m.Timestamp.UTC(), Arrived: arrived.UTC(),
	}
	n.ChargePermission, n.Inferred = chargePermission(in)
	switch {
	case n.ChargePermission == "" && in.NotificationData != "":
		n.ObjectType = oldKind
		return n, ""
	case in.MerchantID != "" && in.MerchantID != text(a.MerchantID):
		return n, ReasonWrongMerchant
	case n.ChargePermission == "":
		return n, ReasonNamesNothing
	case in.MerchantID == "":
		return n, ReasonWrongMerchant
	}
	return n, ""
}

// chargePermission returns the charge permission that a notification names, and
// whether that is only inferred: the first 19 characters of a charge's or
// refund's id may be its charge permission's, but of Recurring ones they are
// not.
func chargePermission(in notification) (id wallet.ChargePermissionID, inferred bool) {
	if id, err := wallet.ParseChargePermissionID(string(in.ChargePermissionID)); err == nil {
		return id, false
	}
	if id, err := wallet.ChargePermissionOf(string(in.ObjectID)); err == nil {
		return id, string(id) != string(in.ObjectID)
	}
	return "", false
}

// objectTypes are those that Amazon Pay documents.
var objectTypes = []string{wallet.ObjectChargePermission, "CHARGE", "REFUND", "CHARGEBACK"}

// objectType returns a documented type as Amazon's samples write it, whatever
// its case, and any other as it came.
func objectType(t text) string {
	for _, known := range objectTypes {
		if strings.EqualFold(string(t), known) {
			return known
		}
	}
	return word(t)
}

// word keeps what Amazon named something storable: no control characters, and
// no longer than any id or type is.
func word[S ~string](in S) string {
	s := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, string(in))
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
	Inferred         bool                      `json:"inferred,omitempty"`
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
		ObjectType: n.ObjectType, ObjectID: n.ObjectID, ChargePermission: n.ChargePermission, Inferred: n.Inferred, Type: n.Type,
		Published: n.Published, Arrived: n.Arrived}
}

// WakeMessage writes a wake-up for the queue.
func WakeMessage(w wallet.Wake) Message {
	return Message{V: version, Kind: KindWake, Account: w.Account, At: w.At}
}

// divertedMessage writes a verified message that cannot be processed. The
// account is empty if it came without a path and its topic belongs to none.
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
	if _, err := wallet.ParseAccountID(string(m.Account)); err != nil && (m.Account != "" || m.Kind != KindUnreadable) {
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
		ObjectType: m.ObjectType, ObjectID: m.ObjectID, ChargePermission: m.ChargePermission, Inferred: m.Inferred, Type: m.Type,
		Published: m.Published, Arrived: m.Arrived}
}
