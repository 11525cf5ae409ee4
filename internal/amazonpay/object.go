package amazonpay

import (
	"encoding/json"
	"errors"
	"regexp"
	"time"
)

// object is a JSON object of Amazon's, whose members are read one by one. A
// member that is null or absent is empty. One of an unexpected form is empty
// too, and its name is noted as unreadable.
type object struct {
	members    map[string]json.RawMessage
	path       string // of the object, with a dot at its end; empty for the body
	unreadable *[]string
}

var errNotObject = errors.New("the response is not a JSON object")

// newObject reads the body of a response. Its error holds nothing of the values.
func newObject(body []byte, unreadable *[]string) (object, error) {
	o := object{unreadable: unreadable}
	if json.Unmarshal(body, &o.members) != nil || o.members == nil {
		return object{}, errNotObject
	}
	return o, nil
}

// read reads a member into v and reports whether there is one to read.
func (o object) read(name string, v any) bool {
	raw, ok := o.members[name]
	if !ok || string(raw) == "null" {
		return false
	}
	if json.Unmarshal(raw, v) != nil {
		o.note(name)
		return false
	}
	return true
}

func (o object) note(name string) { *o.unreadable = append(*o.unreadable, o.path+name) }

func (o object) object(name string) object {
	inner := object{path: o.path + name + ".", unreadable: o.unreadable}
	o.read(name, &inner.members)
	return inner
}

func (o object) text(name string) (s string) {
	if !o.read(name, &s) {
		return ""
	}
	return s
}

// time reads Amazon's form, and RFC 3339 too.
func (o object) time(name string) Time {
	var s string
	if !o.read(name, &s) {
		return Time{}
	}
	for _, layout := range []string{dateFormat, time.RFC3339} {
		if parsed, err := time.Parse(layout, s); err == nil && parsed.UTC().Year() > 0 && parsed.UTC().Year() <= 9999 {
			return Time{parsed.UTC()}
		}
	}
	o.note(name)
	return Time{}
}

// decimal is an amount as Amazon writes it, with room to spare.
var decimal = regexp.MustCompile(`^-?[0-9]{1,20}(\.[0-9]{1,6})?$`)

// amount reads a decimal, written as a string (as documented) or as a number.
func (o object) amount(name string) string {
	var n json.Number // takes a string too, if that is a JSON number
	if !o.read(name, &n) {
		return ""
	}
	if !decimal.MatchString(n.String()) {
		o.note(name)
		return ""
	}
	return n.String()
}

func (o object) address(name string) Address {
	a := o.object(name)
	return Address{
		Name: a.text("name"), AddressLine1: a.text("addressLine1"), AddressLine2: a.text("addressLine2"), AddressLine3: a.text("addressLine3"),
		City: a.text("city"), County: a.text("county"), District: a.text("district"), StateOrRegion: a.text("stateOrRegion"),
		PostalCode: a.text("postalCode"), CountryCode: a.text("countryCode"), PhoneNumber: a.text("phoneNumber"),
	}
}

// each calls read for each object of a list, with what note then notes. A list
// of which one cannot be read is unreadable as a whole: it would be too short.
func (o object) each(name string, read func(object)) (ok bool) {
	var list []json.RawMessage
	if !o.read(name, &list) {
		return false
	}
	var bad []string
	for _, raw := range list {
		item := object{unreadable: &bad}
		if json.Unmarshal(raw, &item.members) != nil {
			bad = append(bad, name)
			break
		}
		read(item)
	}
	if len(bad) > 0 {
		o.note(name)
		return false
	}
	return true
}

func (o object) paymentPreferences(name string) (out []PaymentPreference) {
	if !o.each(name, func(p object) { out = append(out, PaymentPreference{p.text("paymentDescriptor")}) }) {
		return nil
	}
	return out
}

// reasons reads the codes, which decide. A description is for people: one that
// cannot be read is left out, and noted on its own.
func (o object) reasons(name string) (out []Reason) {
	var descriptions []string
	ok := o.each(name, func(r object) {
		code := r.text("reasonCode")
		r.unreadable = &descriptions
		out = append(out, Reason{Code: code, Description: r.text("reasonDescription")})
	})
	if !ok {
		return nil
	}
	if len(descriptions) > 0 {
		o.note(name + ".reasonDescription")
	}
	return out
}
