package sqs

import (
	"crypto/md5" // the protocol's checksum
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Message is a message as a consumer receives it.
type Message struct {
	ID string
	// ReceiptHandle belongs to this act of receiving; empty where a message
	// is only looked at.
	ReceiptHandle string
	Body          string
	Attributes    map[string]Attribute
	// TraceHeader and GroupID are what the sender gave, if anything.
	TraceHeader string
	GroupID     string

	Sent          time.Time
	FirstReceived time.Time // zero: not received yet
	// Receives is how often it was received, in all queues that it was in.
	Receives int
	// DeadLetterSource is the ARN of the queue that gave it up; empty for a
	// message that was sent here.
	DeadLetterSource string
}

// Attribute is a message attribute's value: BinaryValue if its DataType begins
// with Binary, else StringValue.
type Attribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// senderID is what SenderId tells: the id of the role that sent the message,
// and its session.
const senderID = "AROALOCALWALLETSYNC0:walletsync"

// SystemAttributes are what Amazon tells of a message besides its body, as
// both ReceiveMessage and Lambda's event spell them.
func (m Message) SystemAttributes() map[string]string {
	a := map[string]string{
		"SenderId":                senderID,
		"SentTimestamp":           strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"ApproximateReceiveCount": strconv.Itoa(m.Receives),
	}
	if !m.FirstReceived.IsZero() {
		a["ApproximateFirstReceiveTimestamp"] = strconv.FormatInt(m.FirstReceived.UnixMilli(), 10)
	}
	for name, value := range map[string]string{
		"AWSTraceHeader":           m.TraceHeader,
		"MessageGroupId":           m.GroupID,
		"DeadLetterQueueSourceArn": m.DeadLetterSource,
	} {
		if value != "" {
			a[name] = value
		}
	}
	return a
}

// BodyMD5 is the checksum that the SDK compares.
func (m Message) BodyMD5() string { return md5Hex(m.Body) }

// AttributesMD5 is the checksum of the message attributes; empty without any.
func (m Message) AttributesMD5() string { return attributesMD5(m.Attributes) }

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s)) // the protocol's checksum
	return hex.EncodeToString(sum[:])
}

// attributesMD5 follows "Calculating the MD5 message digest for message
// attributes" (Developer Guide, Amazon SQS message metadata): by name, each
// part preceded by its length in four bytes, the value by its transport type.
func attributesMD5(attributes map[string]Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	h := md5.New() // the protocol's checksum
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		writeSized(h, name)
		writeSized(h, a.DataType)
		if a.binary() {
			h.Write([]byte{2})
			writeSized(h, string(a.BinaryValue))
		} else {
			h.Write([]byte{1})
			writeSized(h, a.StringValue)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func writeSized(h hash.Hash, s string) {
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) // at most 1 MiB
	_, _ = io.WriteString(h, s)                                 // a hash never fails
}

func (a Attribute) binary() bool { return strings.HasPrefix(a.DataType, "Binary") }

// maximumAttributes of a message (Developer Guide, message quotas).
const maximumAttributes = 10

// attributeName and dataType are the Developer Guide's rules (Amazon SQS
// message metadata), as are the refused prefixes and periods below.
var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)
	dataType      = regexp.MustCompile(`^(String|Number|Binary)(\..+)?$`)
)

// check refuses what Amazon would not take.
func (a Attribute) check(name string) error {
	lower := strings.ToLower(name)
	switch {
	case !attributeName.MatchString(name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
		return invalidParameter("The message attribute name '%s' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters.", name)
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return invalidParameter("The message attribute name '%s' is invalid. It starts with a prefix that is reserved.", name)
	case len(a.DataType) > 256 || !dataType.MatchString(a.DataType):
		return invalidParameter("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	case a.binary() && len(a.BinaryValue) == 0, !a.binary() && a.StringValue == "":
		return invalidParameter("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, a.DataType)
	case !allowedText(a.StringValue):
		return invalidParameter("The message attribute '%s' contains characters outside the allowed set.", name)
	}
	if strings.HasPrefix(a.DataType, "Number") {
		if _, err := strconv.ParseFloat(a.StringValue, 64); err != nil {
			return invalidParameter("Can't cast the value of message (user) attribute '%s' to a number.", name)
		}
	}
	return nil
}

// allowedText reports whether every character is one that a message may have:
// #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF
// (API reference, SendMessage).
func allowedText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000:
		default:
			return false
		}
	}
	return true
}

// SendInput is a message to send.
type SendInput struct {
	Body       string
	Attributes map[string]Attribute
	// Delay before it becomes visible, in whole seconds up to 15 minutes;
	// nil means the queue's.
	Delay       *time.Duration
	TraceHeader string
	GroupID     string
}

// size is what counts against the limits: body, and the attributes' names,
// types and values.
func (in SendInput) size() int {
	n := len(in.Body)
	for name, a := range in.Attributes {
		n += len(name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
	}
	return n
}

func (in SendInput) check(maximum int) error {
	if in.Body == "" {
		return &Error{Status: 400, Type: "MissingRequiredParameterException", QueryCode: "MissingParameter", Message: "The request must contain the parameter MessageBody."}
	}
	if in.size() > maximum {
		return invalidParameter("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maximum)
	}
	if !allowedText(in.Body) {
		return &Error{Status: 400, Type: "InvalidMessageContents", QueryCode: "InvalidMessageContents", Message: "Message body contains characters outside the allowed set."}
	}
	if d := in.Delay; d != nil && (*d < 0 || *d > maximumDelay || *d%time.Second != 0) {
		return invalidParameter("Value %s for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", inSeconds(*d))
	}
	if len(in.Attributes) > maximumAttributes {
		return invalidParameter("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(in.Attributes), maximumAttributes)
	}
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		if err := in.Attributes[name].check(name); err != nil {
			return err
		}
	}
	return nil
}

// handle is a receipt handle's content: which receiving of which message of
// which queue.
type handle struct {
	queue, id string
	serial    int
}

func (h handle) String() string {
	return hex.EncodeToString(fmt.Appendf(nil, "%s %s %d", h.queue, h.id, h.serial))
}

func parseHandle(queue, s string) (handle, error) {
	h := handle{queue: queue}
	text, err := hex.DecodeString(s)
	if err == nil {
		var rest string
		rest, ok := strings.CutPrefix(string(text), queue+" ")
		id, serial, found := strings.Cut(rest, " ")
		if ok && found {
			h.id = id
			if h.serial, err = strconv.Atoi(serial); err == nil {
				return h, nil
			}
		}
	}
	return h, &Error{Status: 404, Type: "ReceiptHandleIsInvalid", QueryCode: "ReceiptHandleIsInvalid", Message: fmt.Sprintf("The input receipt handle %q is not a valid receipt handle.", s)}
}
