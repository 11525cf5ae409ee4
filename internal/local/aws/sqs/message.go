package sqs

import (
	"crypto/md5" // the protocol's checksum
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"walletsync/internal/local/aws/awsjson"
)

// Message is a message as a consumer receives it.
type Message struct {
	ID string
	// ReceiptHandle belongs to this act of receiving; empty where a message
	// is only looked at.
	ReceiptHandle string
	Body          string
	Attributes    map[string]Attribute

	Sent          time.Time
	FirstReceived time.Time // zero: not received yet
	// Receives is how often it was received, in all queues that it was in.
	Receives int
	// DeadLetterSource is the ARN of the queue that gave it up; empty for a
	// message that was sent here.
	DeadLetterSource string
}

// Attribute is a message attribute's value; Number is a DataType of its own and
// a StringValue all the same.
type Attribute struct {
	DataType    string
	StringValue string
}

// SystemAttributes are what Amazon reports of a message besides its body, as
// both ReceiveMessage and Lambda's event spell them.
func (m Message) SystemAttributes() map[string]string {
	a := map[string]string{
		// The id of the role that sent the message, and its session.
		"SenderId":                "AROALOCALWALLETSYNC0:walletsync",
		"SentTimestamp":           strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"ApproximateReceiveCount": strconv.Itoa(m.Receives),
	}
	if !m.FirstReceived.IsZero() {
		a["ApproximateFirstReceiveTimestamp"] = strconv.FormatInt(m.FirstReceived.UnixMilli(), 10)
	}
	if m.DeadLetterSource != "" {
		a["DeadLetterQueueSourceArn"] = m.DeadLetterSource
	}
	return a
}

// BodyMD5 is the checksum that the SDK compares.
func (m Message) BodyMD5() string {
	sum := md5.Sum([]byte(m.Body)) // the protocol's checksum
	return hex.EncodeToString(sum[:])
}

// allowedText reports whether every character is one that a message may have:
// #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF
// (API reference, SendMessage).
func allowedText(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	}) < 0
}

// SendInput is a message to send.
type SendInput struct {
	Body       string
	Attributes map[string]Attribute
	Delay      time.Duration // before it becomes visible, up to 15 minutes
}

// attributeName and attributeType are the Developer Guide's rules (Amazon SQS
// message metadata), but for binary values and types of one's own.
var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	attributeType = regexp.MustCompile(`^(String|Number)$`)
)

// maximumAttributes of a message (Developer Guide, message quotas).
const maximumAttributes = 10

// check holds a message to the API reference's SendMessage.
func (in SendInput) check() error {
	if in.Body == "" {
		return refuse("MissingRequiredParameterException", "The request must contain the parameter MessageBody.")
	}
	if !allowedText(in.Body) {
		return refuse("InvalidMessageContents", "Message body contains characters outside the allowed set.")
	}
	if in.Delay < 0 || in.Delay > maximumDelay {
		return invalidParameter("Value %v for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", in.Delay.Seconds())
	}
	if len(in.Attributes) > maximumAttributes {
		return invalidParameter("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(in.Attributes), maximumAttributes)
	}
	size := len(in.Body)
	for name, a := range in.Attributes {
		if !attributeName.MatchString(name) || !attributeType.MatchString(a.DataType) || a.StringValue == "" {
			return invalidParameter("The message attribute '%s' of type '%s' is malformed, empty, or not modelled here.", name, a.DataType)
		}
		size += len(name) + len(a.DataType) + len(a.StringValue)
	}
	if size > maximumSize {
		return invalidParameter("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maximumSize)
	}
	return nil
}

// handle is a receipt handle: which receiving of which message of which queue.
func handle(queue, id string, serial int) string { return fmt.Sprintf("%s/%s/%d", queue, id, serial) }

func parseHandle(queue, s string) (id string, serial int, err error) {
	parts := strings.Split(s, "/")
	if len(parts) == 3 && parts[0] == queue {
		if serial, err = strconv.Atoi(parts[2]); err == nil {
			return parts[1], serial, nil
		}
	}
	return "", 0, &awsjson.Error{Status: 404, Type: "ReceiptHandleIsInvalid", QueryCode: "ReceiptHandleIsInvalid", Message: fmt.Sprintf("The input receipt handle %q is not a valid receipt handle.", s)}
}
