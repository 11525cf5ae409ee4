package update

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"walletsync/internal/update/pages"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

// Amazon's product types, with and without an address.
const (
	payAndShip = "PayAndShip"
	payOnly    = "PayOnly"
)

// SessionRequest is the body of POST /update-sessions.
type SessionRequest struct {
	ChargePermissionID     string                          `json:"chargePermissionId"`
	Update                 string                          `json:"update"`
	Account                string                          `json:"account,omitempty"`
	Locale                 string                          `json:"locale,omitempty"`
	ProductType            string                          `json:"productType,omitempty"`
	StartURL               string                          `json:"startUrl,omitempty"`
	ReturnTo               string                          `json:"returnTo,omitempty"`
	DeliverySpecifications *session.DeliverySpecifications `json:"deliverySpecifications,omitempty"`
	Scopes                 []string                        `json:"scopes,omitempty"`
	MerchantMetadata       *session.MerchantMetadata       `json:"merchantMetadata,omitempty"`
}

// request is a valid SessionRequest.
type request struct {
	chargePermission wallet.ChargePermissionID
	account          wallet.AccountID // empty if not given
	update           string
	locale           string
	productType      string // empty if productType decides
	startURL         string
	returnTo         string
	session.Details
}

// fieldError is an error in one member of a request.
type fieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// fieldErrors are all errors of a request.
type fieldErrors []fieldError

func (e fieldErrors) Error() string {
	parts := make([]string, len(e))
	for i, f := range e {
		parts[i] = f.Field + ": " + f.Detail
	}
	return strings.Join(parts, "; ")
}

func (e *fieldErrors) add(field, detail string, args ...any) {
	*e = append(*e, fieldError{field, fmt.Sprintf(detail, args...)})
}

// parseRequest parses a request and reports the errors of each member. origins
// lists the origins that buyers may be sent to. Errors never quote the request,
// because it may contain a buyer's data.
func parseRequest(body []byte, origins []string) (request, error) {
	var in SessionRequest
	if err := decodeStrictly(body, &in); err != nil {
		return request{}, err
	}
	var bad fieldErrors
	r := request{
		update: in.Update, locale: in.Locale, productType: in.ProductType, startURL: in.StartURL, returnTo: in.ReturnTo,
		Details: session.Details{DeliverySpecifications: in.DeliverySpecifications, Scopes: in.Scopes, MerchantMetadata: in.MerchantMetadata},
	}
	var err error
	if r.chargePermission, err = wallet.ParseChargePermissionID(in.ChargePermissionID); err != nil {
		bad.add("chargePermissionId", "it does not have a form such as B01-0000000-0000000")
	}
	if in.Account != "" {
		if r.account, err = wallet.ParseAccountID(in.Account); err != nil {
			bad.add("account", "it is not the name of an account in the configuration")
		}
	}
	if !slices.Contains([]string{pages.Address, pages.PaymentMethod, pages.Both}, in.Update) {
		bad.add("update", "it is not address, payment_method or both")
	}
	if in.Locale != "" && !localeForm.MatchString(in.Locale) {
		bad.add("locale", "it does not have a form such as de, de_DE or de-DE")
	}
	if in.ProductType != "" && in.ProductType != payOnly && in.ProductType != payAndShip {
		bad.add("productType", "it is neither %s nor %s", payAndShip, payOnly)
	}
	if in.ProductType == payOnly && in.Update != pages.PaymentMethod {
		bad.add("productType", "an update of the address needs %s", payAndShip)
	}
	bad.url("startUrl", in.StartURL, r.chargePermission, origins)
	bad.url("returnTo", in.ReturnTo, r.chargePermission, origins)
	bad.scopes(in.Scopes)
	bad.delivery(in.DeliverySpecifications)
	bad.metadata(in.MerchantMetadata)
	if len(bad) > 0 {
		return request{}, bad
	}
	return r, nil
}

// decodeStrictly decodes one JSON object and refuses unknown members.
func decodeStrictly(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		field := wrongType.Field
		if field == "" {
			field = "body"
		}
		return fieldErrors{{field, "it is not a JSON " + kindOf(wrongType)}}
	case err != nil:
		if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
			if name = strings.Trim(name, `"`); memberName.MatchString(name) {
				return fieldErrors{{name, "there is no such member"}}
			}
			return fieldErrors{{"body", "a member's name is not documented"}}
		}
		return fieldErrors{{"body", "it is not a JSON object"}}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fieldErrors{{"body", "something follows the object"}}
	}
	return nil
}

// memberName matches names that answers and logs may quote.
var memberName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,40}$`)

func kindOf(e *json.UnmarshalTypeError) string {
	switch e.Type.Kind().String() {
	case "slice":
		return "array"
	case "string":
		return "string"
	}
	return "object"
}

// localeForm is a language and a country, as Amazon (de_DE) and browsers (de-DE)
// write them.
var localeForm = regexp.MustCompile(`^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$`)

// url checks the URL of a page of the merchant's own.
func (e *fieldErrors) url(field, s string, id wallet.ChargePermissionID, origins []string) {
	switch {
	case s == "":
	case utf8.RuneCountInString(s) > maxPageURL:
		e.tooLong(field, maxPageURL)
	case id != "" && strings.Contains(strings.ToUpper(s), string(id)):
		e.add(field, "it contains the charge permission's id, which no URL may contain; use the update session's")
	case !allowed(s, origins):
		e.add(field, "it is not a URL below an origin in RETURN_ORIGINS")
	}
}

// allowed reports whether s leads to one of the origins. It refuses URLs that
// browsers and net/url parse differently.
func allowed(s string, origins []string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return r == '\\' || r == '"' || unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.Opaque != "" || u.Host == "" {
		return false
	}
	return slices.Contains(origins, u.Scheme+"://"+strings.ToLower(u.Host))
}

// knownScopes are Amazon's scopes. Only its SDKs have the last three.
var knownScopes = []string{"name", "email", "phoneNumber", "billingAddress", "shippingAddress", "postalCode", "primeStatus"}

func (e *fieldErrors) scopes(scopes []string) {
	for i, s := range scopes {
		if !slices.Contains(knownScopes, s) || slices.Contains(scopes[:i], s) {
			e.add(fmt.Sprintf("scopes[%d]", i), "unknown or duplicate value; allowed: %s", strings.Join(knownScopes, ", "))
		}
	}
}

// knownSpecial are Amazon's special restrictions.
var knownSpecial = []string{"RestrictPOBoxes", "RestrictPackstations"}

func (e *fieldErrors) delivery(d *session.DeliverySpecifications) {
	if d == nil {
		return
	}
	const at = "deliverySpecifications"
	for i, s := range d.SpecialRestrictions {
		if !slices.Contains(knownSpecial, s) || slices.Contains(d.SpecialRestrictions[:i], s) {
			e.add(fmt.Sprintf("%s.specialRestrictions[%d]", at, i), "unknown or duplicate value; allowed: %s", strings.Join(knownSpecial, ", "))
		}
	}
	a := d.AddressRestrictions
	if a == nil {
		return
	}
	if a.Type != "Allowed" && a.Type != "NotAllowed" {
		e.add(at+".addressRestrictions.type", "it is neither Allowed nor NotAllowed")
	}
	const in = at + ".addressRestrictions.restrictions"
	if len(a.Restrictions) == 0 {
		e.add(in, "it names no country")
	}
	for _, country := range slices.Sorted(maps.Keys(a.Restrictions)) {
		if !isCountry(country) {
			e.add(in, "a member's name is not a country code of ISO 3166-1 alpha-2, such as DE or GB")
			continue
		}
		r := a.Restrictions[country]
		for i, s := range r.StatesOrRegions {
			field := fmt.Sprintf("%s.%s.statesOrRegions[%d]", in, country, i)
			switch {
			case country == "US" && !usState.MatchString(s):
				e.add(field, "it is not the two-character code of a state, such as WA")
			default:
				e.plain(field, s, true)
			}
		}
		for i, s := range r.ZipCodes {
			if !zipCode.MatchString(s) {
				e.add(fmt.Sprintf("%s.%s.zipCodes[%d]", in, country, i), "it is not a zip code; allowed: A to Z, a to z, digits, spaces, dashes, and a * at the end")
			}
		}
	}
}

var (
	usState = regexp.MustCompile(`^[A-Z]{2}$`)
	zipCode = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9 -]{0,18}[A-Za-z0-9])?\*?$`)
)

func (e *fieldErrors) metadata(m *session.MerchantMetadata) {
	if m == nil {
		return
	}
	const at = "merchantMetadata."
	for _, member := range []struct {
		name, text string
		limit      int
	}{
		{"merchantReferenceId", m.MerchantReferenceID, maxReferenceID},
		{"merchantStoreName", m.MerchantStoreName, maxStoreName},
		{"noteToBuyer", m.NoteToBuyer, maxNote},
		{"customInformation", m.CustomInformation, maxCustomInformation},
	} {
		e.plain(at+member.name, member.text, false)
		if utf8.RuneCountInString(member.text) > member.limit {
			e.tooLong(at+member.name, member.limit)
		}
	}
}

// The limits of Amazon Pay, in characters ("MerchantMetadata" in its API
// reference). A longer text would lead the buyer to its error page.
const (
	maxReferenceID       = 256
	maxStoreName         = 50
	maxNote              = 255
	maxCustomInformation = 4096
)

// maxPageURL is our own limit. Browsers and proxies accept URLs of this length.
const maxPageURL = 2000

func (e *fieldErrors) tooLong(field string, limit int) {
	e.add(field, "it is longer than %d characters", limit)
}

// plain refuses a text that needs a backslash in JSON, because the payload must not
// contain one (see amazonpay.MarshalPayload).
func (e *fieldErrors) plain(field, s string, needed bool) {
	switch {
	case s == "" && needed:
		e.add(field, "it is empty")
	case strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == '"' || r == '\\' || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar
	}):
		e.add(field, "quotation marks, backslashes, control characters and broken UTF-8 cannot be signed")
	}
}

// countries are the codes of ISO 3166-1 alpha-2.
const countries = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ" +
	" CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR" +
	" GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP" +
	" KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ" +
	" NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW" +
	" SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ" +
	" UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "

func isCountry(s string) bool {
	return len(s) == 2 && s != "  " && !strings.Contains(s, " ") && strings.Contains(countries, " "+s+" ")
}
