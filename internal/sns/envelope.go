package sns

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// envelope is a message that is not verified yet; it does not leave the
// package.
type envelope struct {
	message        Message
	signed         string // what SNS signed
	signature      []byte
	hash           crypto.Hash
	certificateURL string
}

// The partitions and their SNS hosts: sns.{region}.amazonaws.com, in China under
// amazonaws.com.cn (AWS General Reference, "Amazon SNS endpoints and quotas").
// A region's form keeps bucket hosts out, such as sns.s3-us-west-2.amazonaws.com.
var topicARN = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):sns:([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):[0-9]{12}:[A-Za-z0-9_-]+(?:\.fifo)?$`)

// A path of plain segments, so that one file has one name.
var certificatePath = regexp.MustCompile(`^(?:/[A-Za-z0-9_-]+)+\.pem$`)

// maxField bounds the members that are kept or compared, in bytes. Those of
// SNS have a few hundred.
const maxField = 2048

// parse reads an envelope and checks all of it that needs no certificate.
func parse(body []byte) (envelope, error) {
	// encoding/json matches names without case, which covers both spellings of
	// the members that Lambda writes in its own way. That other names match
	// likewise is harmless: what is verified is what is returned.
	var raw struct {
		Type, MessageID, TopicARN, Timestamp        string
		SignatureVersion, Signature, SigningCertURL string
		SubscribeURL, Token                         string
		Message, Subject                            *string
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		// The error is not passed on, because it may quote the message.
		return envelope{}, fail(reasonMalformed, "not an SNS envelope in JSON")
	}
	malformed := func(member string) (envelope, error) {
		return envelope{}, fail(reasonMalformed, "member %s is missing or malformed", member)
	}
	m := Message{
		Type:             MessageType(raw.Type),
		ID:               raw.MessageID,
		TopicARN:         raw.TopicARN,
		SignatureVersion: raw.SignatureVersion,
	}
	confirmation := m.Type == SubscriptionConfirmation || m.Type == UnsubscribeConfirmation
	timestamp, err := time.Parse(time.RFC3339, raw.Timestamp)
	host, ok := endpoint(m.TopicARN)
	switch {
	case m.Type != Notification && !confirmation:
		return malformed("Type")
	case raw.Message == nil:
		return malformed("Message")
	case !plain(m.ID, "-"):
		return malformed("MessageId")
	case !ok:
		return malformed("TopicArn")
	case err != nil:
		return malformed("Timestamp")
	case raw.Subject != nil && !oneLine(*raw.Subject):
		return malformed("Subject")
	case confirmation && !plain(raw.Token, "._~=+/-"):
		return malformed("Token")
	case confirmation && (raw.SubscribeURL == "" || !oneLine(raw.SubscribeURL)):
		return malformed("SubscribeURL")
	}
	m.Body, m.Timestamp, m.endpoint = *raw.Message, timestamp.UTC(), host
	e := envelope{certificateURL: raw.SigningCertURL}
	if e.signature, err = base64.StdEncoding.DecodeString(raw.Signature); err != nil || len(e.signature) == 0 {
		return malformed("Signature")
	}
	switch raw.SignatureVersion {
	case "1":
		e.hash = crypto.SHA1
	case "2":
		e.hash = crypto.SHA256
	default:
		return envelope{}, fail(reasonSignature, "a signature version that is neither 1 nor 2")
	}
	if path, ok := strings.CutPrefix(raw.SigningCertURL, "https://"+host); !ok || len(path) > maxField || !certificatePath.MatchString(path) {
		return envelope{}, fail(reasonCertificateURL, "it is no .pem file on https://%s, as the topic's is; its host is %.100q", host, hostOf(raw.SigningCertURL))
	}

	fields := []string{"Message", m.Body, "MessageId", m.ID}
	if confirmation {
		m.Token = raw.Token
		fields = append(fields, "SubscribeURL", raw.SubscribeURL, "Timestamp", raw.Timestamp, "Token", raw.Token)
	} else {
		if raw.Subject != nil {
			m.Subject = *raw.Subject
			fields = append(fields, "Subject", m.Subject)
		}
		fields = append(fields, "Timestamp", raw.Timestamp)
	}
	fields = append(fields, "TopicArn", m.TopicARN, "Type", raw.Type)
	e.signed = strings.Join(fields, "\n") + "\n"
	e.message = m
	return e, nil
}

// plain reports whether s consists of a-z, A-Z, 0-9 and others.
func plain(s, others string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return s != "" && len(s) <= maxField
}

// oneLine reports whether s has no line break, nor any other control character.
func oneLine(s string) bool {
	return len(s) <= maxField && !strings.ContainsFunc(s, unicode.IsControl)
}

// endpoint returns the SNS host of the topic's region, and false if the ARN is
// not a topic's.
func endpoint(arn string) (host string, ok bool) {
	match := topicARN.FindStringSubmatch(arn)
	if match == nil || len(arn) > maxField {
		return "", false
	}
	partition, region := match[1], match[2]
	china := strings.HasPrefix(region, "cn-")
	if china != (partition == "aws-cn") {
		return "", false
	}
	host = "sns." + region + ".amazonaws.com"
	if china {
		host += ".cn"
	}
	return host, true
}

// hostOf returns the part of a URL that an error may quote; the sender chooses
// the rest.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// verify reports whether the certificate's key signed the envelope while the
// certificate was valid.
func (e envelope) verify(c certificate) error {
	var digest []byte
	if e.hash == crypto.SHA1 {
		// What signature version 1 is; the publisher of the topic chooses it.
		sum := sha1.Sum([]byte(e.signed))
		digest = sum[:]
	} else {
		sum := sha256.Sum256([]byte(e.signed))
		digest = sum[:]
	}
	if err := rsa.VerifyPKCS1v15(c.key, e.hash, digest, e.signature); err != nil {
		return fail(reasonSignature, "it does not verify: %w", err)
	}
	if t := e.message.Timestamp; t.Before(c.notBefore) || t.After(c.notAfter) {
		return fail(reasonCertificateTime, "valid from %s to %s, the message is of %s",
			c.notBefore.Format(time.RFC3339), c.notAfter.Format(time.RFC3339), t.Format(time.RFC3339))
	}
	return nil
}
