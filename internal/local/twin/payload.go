package twin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// problem is one thing that is wrong with what a button sent.
type problem struct {
	Field      string `json:"field,omitempty"`
	ReasonCode string `json:"reasonCode"`
	Message    string `json:"message"`
}

// payload is the Create Checkout Session config of an update ("Update a
// payment method on file" and "Checkout Session" in the API reference).
type payload struct {
	WebCheckoutDetails          webCheckoutDetails      `json:"webCheckoutDetails"`
	StoreID                     string                  `json:"storeId"`
	ChargePermissionID          string                  `json:"chargePermissionId"`
	ChargePermissionType        string                  `json:"chargePermissionType"`
	PaymentMethodOnFileMetadata onFileMetadata          `json:"paymentMethodOnFileMetadata"`
	PaymentDetails              paymentDetails          `json:"paymentDetails"`
	Scopes                      []string                `json:"scopes,omitempty"`
	MerchantMetadata            *merchantMetadata       `json:"merchantMetadata,omitempty"`
	DeliverySpecifications      *deliverySpecifications `json:"deliverySpecifications,omitempty"`
}

type webCheckoutDetails struct {
	CheckoutResultReturnURL text `json:"checkoutResultReturnUrl"`
	CheckoutCancelURL       text `json:"checkoutCancelUrl"`
}

type paymentDetails struct {
	PaymentIntent                 text `json:"paymentIntent"`
	CanHandlePendingAuthorization bool `json:"canHandlePendingAuthorization"`
}

// parsePayload reads a payload and says all that is wrong with it by itself;
// what needs the twin's objects is checkPayload's.
func parsePayload(s string) (payload, []problem) {
	var p payload
	var c checker
	if i := strings.IndexByte(s, '\\'); i >= 0 {
		c.wrong("payloadJSON", "InvalidRequestFormat", "byte %d is a backslash: Amazon's SDK for PHP strips them before it hashes, templates treat them in their own ways, so no payload may need one", i+1)
	}
	if !utf8.ValidString(s) {
		c.wrong("payloadJSON", "InvalidRequestFormat", "it is not UTF-8")
		return p, c.problems
	}
	setupOnly := false
	p.PaymentMethodOnFileMetadata.SetupOnly = &setupOnly
	c.object("", []byte(s), members{
		"webCheckoutDetails": c.required(c.members(members{
			"checkoutResultReturnUrl": c.required(c.url(&p.WebCheckoutDetails.CheckoutResultReturnURL)),
			"checkoutCancelUrl":       c.optional(c.url(&p.WebCheckoutDetails.CheckoutCancelURL)),
		})),
		"storeId":              c.required(c.form(&p.StoreID, storeID, "of the form amzn1.application-oa2-client.…")),
		"chargePermissionId":   c.required(c.form(&p.ChargePermissionID, permissionID, "of the form S01-0000000-0000000")),
		"chargePermissionType": c.required(c.oneOf(&p.ChargePermissionType, "PaymentMethodOnFile")),
		// The sources disagree which of the two an update takes: both do.
		"paymentMethodOnFileMetadata": c.required(c.members(members{"setupOnly": c.required(c.boolean(&setupOnly))})),
		"paymentDetails": c.required(c.members(members{
			"paymentIntent": c.required(c.oneOf((*string)(&p.PaymentDetails.PaymentIntent), "Confirm")),
			"canHandlePendingAuthorization": c.required(func(path string, raw json.RawMessage) {
				c.boolean(&p.PaymentDetails.CanHandlePendingAuthorization)(path, raw)
				if p.PaymentDetails.CanHandlePendingAuthorization {
					c.wrong(path, "InvalidParameterCombination", "an update is confirmed at once: it is false")
				}
			}),
		})),
		"scopes":                 c.optional(c.list(&p.Scopes, scopes()...)),
		"merchantMetadata":       c.optional(c.metadata(&p)),
		"deliverySpecifications": c.optional(c.delivery(&p)),
	})
	return p, c.problems
}

var storeID = regexp.MustCompile(`^amzn1\.application-oa2-client\.[A-Za-z0-9]+$`)

// scopes are what a session may tell of its buyer: the documentation's, and
// those that only the SDKs name.
func scopes() []string {
	return []string{"name", "email", "phoneNumber", "billingAddress", "shippingAddress", "postalCode", "primeStatus"}
}

// checker walks a payload by its members and collects what is wrong.
type checker struct{ problems []problem }

func (c *checker) wrong(field, reasonCode, format string, args ...any) {
	c.problems = append(c.problems, problem{field, reasonCode, fmt.Sprintf(format, args...)})
}

// read reads the member at a path.
type read func(path string, raw json.RawMessage)

type member struct {
	required bool
	read     read
}

type members map[string]member

func (c *checker) required(r read) member { return member{true, r} }
func (c *checker) optional(r read) member { return member{false, r} }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// object reads a JSON object with the members that it may have: names in their
// own case, each once. Null is no value.
func (c *checker) object(path string, raw json.RawMessage, may members) {
	found, names, err := objectOf(raw)
	if err != nil {
		field := path
		if field == "" {
			field = "payloadJSON"
		}
		c.wrong(field, "InvalidRequestFormat", "%v", err)
		return
	}
	for _, name := range names {
		m, known := may[name]
		switch value := found[name]; {
		case !known:
			c.wrong(join(path, clip(name, 60)), "UnrecognizedField", "the field '%s' is invalid for this API", clip(name, 60))
		case string(value) == "null":
			delete(found, name)
		default:
			m.read(join(path, name), value)
		}
	}
	for _, name := range sorted(may) {
		if _, given := found[name]; !given && may[name].required {
			c.wrong(join(path, name), "MissingParameterValue", "it is missing")
		}
	}
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// objectOf takes a JSON object apart; a name that is there twice is an error,
// as readers differ in which of the two they take.
func objectOf(raw []byte) (found map[string]json.RawMessage, names []string, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.New("it is not a JSON object")
	}
	found = map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("it is not JSON: %w", err)
		}
		name, _ := t.(string) // the decoder takes nothing else for a name
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, fmt.Errorf("it is not JSON: %w", err)
		}
		if _, twice := found[name]; twice {
			return nil, nil, fmt.Errorf("it has %q twice", clip(name, 60))
		}
		found[name] = value
		names = append(names, name)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, errors.New("it is not JSON: the object does not end")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("something follows the JSON object")
	}
	return found, names, nil
}

func (c *checker) members(may members) read {
	return func(path string, raw json.RawMessage) { c.object(path, raw, may) }
}

// value reads a value of a Go type; ok is false if it is of another.
func value[V any](c *checker, path string, raw json.RawMessage, to *V, what string) (ok bool) {
	if err := json.Unmarshal(raw, to); err != nil {
		c.wrong(path, "InvalidParameterValue", "it is not %s", what)
		return false
	}
	return true
}

func (c *checker) boolean(to *bool) read {
	return func(path string, raw json.RawMessage) { value(c, path, raw, to, "true or false") }
}

func (c *checker) text(to *text) read {
	return func(path string, raw json.RawMessage) { value(c, path, raw, (*string)(to), "a string") }
}

// upTo reads a string of at most limit characters ("MerchantMetadata" and
// "WebCheckoutDetails" in the API reference).
func (c *checker) upTo(limit int, to *text) read {
	return func(path string, raw json.RawMessage) {
		c.text(to)(path, raw)
		if n := utf8.RuneCountInString(string(*to)); n > limit {
			c.wrong(path, "InvalidParameterValue", "it has %d characters, and at most %d are allowed", n, limit)
		}
	}
}

func (c *checker) form(to *string, form *regexp.Regexp, what string) read {
	return func(path string, raw json.RawMessage) {
		if value(c, path, raw, to, "a string") && !form.MatchString(*to) {
			c.wrong(path, "InvalidParameterValue", "%q is not %s", clip(*to, 80), what)
		}
	}
}

func (c *checker) oneOf(to *string, all ...string) read {
	return func(path string, raw json.RawMessage) {
		if value(c, path, raw, to, "a string") && !slices.Contains(all, *to) {
			c.wrong(path, "InvalidParameterValue", "%q is not %s", clip(*to, 80), strings.Join(all, " or "))
		}
	}
}

// list reads a list of different strings, of the known ones if any are given.
func (c *checker) list(to *[]string, known ...string) read {
	return func(path string, raw json.RawMessage) {
		if !value(c, path, raw, to, "a list of strings") {
			return
		}
		for i, s := range *to {
			switch {
			case s == "":
				c.wrong(fmt.Sprintf("%s[%d]", path, i), "InvalidParameterValue", "it is empty")
			case len(known) > 0 && !slices.Contains(known, s):
				c.wrong(fmt.Sprintf("%s[%d]", path, i), "InvalidParameterValue", "%q is none of %s", clip(s, 60), strings.Join(known, ", "))
			case slices.Contains((*to)[:i], s):
				c.wrong(fmt.Sprintf("%s[%d]", path, i), "InvalidParameterValue", "%q is there twice", clip(s, 60))
			}
		}
	}
}

// url reads where a buyer is sent: HTTPS, or, which is the twin's own
// exception, HTTP to a loopback host.
func (c *checker) url(to *text) read {
	return func(path string, raw json.RawMessage) {
		c.upTo(512, to)(path, raw)
		u, err := url.Parse(string(*to))
		switch {
		case err != nil || u.Host == "" || u.Opaque != "":
			c.wrong(path, "InvalidParameterValue", "it is not an absolute URL")
		case u.User != nil:
			c.wrong(path, "InvalidParameterValue", "it has a user name in it")
		case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
			c.wrong(path, "InvalidParameterValue", "it is not HTTPS (the twin lets http to a loopback host pass, Amazon does not)")
		}
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *checker) metadata(p *payload) read {
	return func(path string, raw json.RawMessage) {
		p.MerchantMetadata = &merchantMetadata{}
		c.object(path, raw, members{
			"merchantReferenceId": c.optional(c.upTo(256, &p.MerchantMetadata.MerchantReferenceID)),
			"merchantStoreName":   c.optional(c.upTo(50, &p.MerchantMetadata.MerchantStoreName)),
			"noteToBuyer":         c.optional(c.upTo(255, &p.MerchantMetadata.NoteToBuyer)),
			"customInformation":   c.optional(c.upTo(4096, &p.MerchantMetadata.CustomInformation)),
		})
	}
}
