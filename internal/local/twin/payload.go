package twin

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
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

// payloadSchema is the form of a payload, in OpenAPI's words.
//
//go:embed payload.schema.json
var payloadSchema []byte

// restrictedCountries is where the payload has a country for a name.
const restrictedCountries = "deliverySpecifications.addressRestrictions.restrictions"

// readSchema reads the schema, and adds the countries to it.
var readSchema = sync.OnceValues(func() (*openapi3.Schema, error) {
	s := &openapi3.Schema{}
	if err := json.Unmarshal(payloadSchema, s); err != nil {
		return nil, err
	}
	countries := s
	for name := range strings.SplitSeq(restrictedCountries, ".") {
		countries = countries.Properties[name].Value
	}
	codes, _ := countries.Extensions["x-countries"].(string) // those of ISO 3166-1 alpha-2
	for code := range strings.FieldsSeq(codes) {
		if countries.Properties[code] == nil {
			countries.Properties[code] = countries.AdditionalProperties.Schema
		}
	}
	countries.AdditionalProperties = openapi3.AdditionalProperties{Has: new(bool)}
	return s, nil
})

// parsePayload reads a payload and says all that is wrong with it by itself;
// what needs the twin's objects is checkPayload's.
func parsePayload(s string) (p payload, problems problems) {
	if i := strings.IndexByte(s, '\\'); i >= 0 {
		problems.add("payloadJSON", "InvalidRequestFormat", "byte %d is a backslash: Amazon's SDK for PHP strips them before it hashes, templates treat them in their own ways, so no payload may need one", i+1)
	}
	if !utf8.ValidString(s) {
		problems.add("payloadJSON", "InvalidRequestFormat", "it is not UTF-8")
		return p, problems
	}
	object, err := decodeObject([]byte(s))
	if err != nil {
		problems.add("payloadJSON", "InvalidRequestFormat", "%v", err)
		return p, problems
	}
	schema, err := readSchema()
	if err != nil {
		problems.add("payloadJSON", "InternalServerError", "%v", err)
		return p, problems
	}
	problems.ofSchema(schema.VisitJSON(object, openapi3.MultiErrors()))
	web, _ := object["webCheckoutDetails"].(map[string]any)
	for _, name := range []string{"checkoutResultReturnUrl", "checkoutCancelUrl"} {
		if to, given := web[name].(string); given {
			if err := checkURL(to); err != nil {
				problems.add("webCheckoutDetails."+name, "InvalidParameterValue", "%v", err)
			}
		}
	}
	if len(problems) == 0 {
		if err := json.Unmarshal([]byte(s), &p); err != nil {
			problems.add("payloadJSON", "InvalidRequestFormat", "%v", err)
		}
	}
	return p, problems
}

// problems are all that is wrong.
type problems []problem

func (p *problems) add(field, reasonCode, format string, args ...any) {
	*p = append(*p, problem{field, reasonCode, fmt.Sprintf(format, args...)})
}

// ofSchema adds what a schema found.
func (p *problems) ofSchema(err error) {
	if all, ok := errors.AsType[openapi3.MultiError](err); ok {
		for _, err := range all {
			p.ofSchema(err)
		}
		return
	}
	e, ok := errors.AsType[*openapi3.SchemaError](err)
	if !ok {
		return
	}
	path := e.JSONPointer()
	code := map[string]string{"required": "MissingParameterValue", "minProperties": "MissingParameterValue", "properties": "UnrecognizedField"}[e.SchemaField]
	if code == "" {
		code = "InvalidParameterValue"
	}
	if e.SchemaField == "properties" {
		if strings.Join(path, ".") == restrictedCountries { // a country's code is a value
			code = "InvalidParameterValue"
		}
		var name string
		_, _ = fmt.Sscanf(e.Reason, "property %q", &name)
		path = append(path, clip(name, 60))
	}
	var field strings.Builder
	for i, name := range path {
		switch {
		case strings.Trim(name, "0123456789") == "" && i > 0:
			field.WriteString("[" + name + "]")
		case i > 0:
			field.WriteString("." + name)
		default:
			field.WriteString(name)
		}
	}
	if field.String() == "paymentDetails.canHandlePendingAuthorization" && e.SchemaField == "enum" { // an update is confirmed at once
		code = "InvalidParameterCombination"
	}
	p.add(field.String(), code, "%s", clip(e.Reason, 300))
}

// decodeObject reads one JSON object, without members that are null: null is no
// value. A name that is there twice is an error, as readers differ in which of
// the two they take.
func decodeObject(raw []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	v, err := decodeValue(d)
	if err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is not a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return object, nil
}

func decodeValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	switch {
	case err == nil && t == json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decodeValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	case err != nil || t != json.Delim('{'):
		return t, err
	}
	object := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string) // the decoder takes nothing else for a name
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("it has %q twice", clip(name, 60))
		}
		if object[name], err = decodeValue(d); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(object, func(_ string, v any) bool { return v == nil })
	_, err = d.Token()
	return object, err
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// checkURL checks where a buyer is sent: HTTPS, or, which is the twin's own
// exception, HTTP to a loopback host.
func checkURL(to string) error {
	u, err := url.Parse(to)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("it is not an absolute URL")
	case u.User != nil:
		return errors.New("it has a user name in it")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return errors.New("it is not HTTPS (the twin lets http to a loopback host pass, Amazon does not)")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
