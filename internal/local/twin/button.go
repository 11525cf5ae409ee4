package twin

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Button is what checkout.js posts to {checkout host}/checkout/initiate: what
// initCheckout was given. The names of the form's fields are the twin's own;
// Amazon does not document its script's.
type Button struct {
	MerchantID       string `json:"merchantId"`
	LedgerCurrency   string `json:"ledgerCurrency"`
	Sandbox          bool   `json:"sandbox"`
	CheckoutLanguage string `json:"checkoutLanguage,omitempty"`
	ProductType      string `json:"productType,omitempty"` // empty: PayAndShip
	Placement        string `json:"placement"`
	PayloadJSON      string `json:"payloadJSON"`
	Signature        string `json:"signature"`
	PublicKeyID      string `json:"publicKeyId"`
	Algorithm        string `json:"algorithm,omitempty"` // empty: AMZN-PAY-RSASSA-PSS
	Origin           string `json:"origin,omitempty"`    // of the page that the button is on
}

func buttonOf(form url.Values) Button {
	return Button{
		MerchantID: form.Get("merchantId"), LedgerCurrency: form.Get("ledgerCurrency"), Sandbox: form.Get("sandbox") == "true",
		CheckoutLanguage: form.Get("checkoutLanguage"), ProductType: form.Get("productType"), Placement: form.Get("placement"),
		PayloadJSON: form.Get("payloadJSON"), Signature: form.Get("signature"), PublicKeyID: form.Get("publicKeyId"),
		Algorithm: form.Get("algorithm"), Origin: form.Get("origin"),
	}
}

const (
	payAndShip = "PayAndShip"
	payOnly    = "PayOnly"
)

// ButtonError says all that is wrong with a button, each thing on its own.
type ButtonError struct {
	Status       int       `json:"-"`
	Problems     []problem `json:"problems"`
	StringToSign []string  `json:"stringToSign,omitempty"` // the twin's lines, if the signature is wrong
}

func (e *ButtonError) Error() string {
	all := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		all[i] = strings.TrimPrefix(p.Field+": "+p.Message, ": ")
	}
	return strings.Join(all, "; ")
}

func refuseButton(status int, field, reasonCode, format string, args ...any) *ButtonError {
	return &ButtonError{Status: status, Problems: []problem{{field, reasonCode, fmt.Sprintf(format, args...)}}}
}

// checkButton returns the account, the payload and the charge permission of a
// button, or all that is wrong with it. The signature is checked before any
// value, so that a changed byte is called what it is.
func (t *Twin) checkButton(b Button) (*account, payload, *ButtonError) {
	var missing []problem
	for _, f := range []struct{ name, value string }{
		{"merchantId", b.MerchantID}, {"ledgerCurrency", b.LedgerCurrency}, {"placement", b.Placement},
		{"createCheckoutSessionConfig.payloadJSON", b.PayloadJSON}, {"createCheckoutSessionConfig.signature", b.Signature},
		{"createCheckoutSessionConfig.publicKeyId", b.PublicKeyID},
	} {
		if f.value == "" {
			missing = append(missing, problem{f.name, "MissingParameterValue", "it is missing"})
		}
	}
	if len(missing) > 0 {
		return nil, payload{}, &ButtonError{Status: http.StatusBadRequest, Problems: missing}
	}
	holders := t.holders(b.PublicKeyID)
	if len(holders) == 0 {
		return nil, payload{}, refuseButton(http.StatusForbidden, "publicKeyId", "InvalidAuthentication", "the key id %s is not known", clip(b.PublicKeyID, 64))
	}
	if refused := t.verifyButton(b, holders[0].PublicKey); refused != nil {
		return nil, payload{}, refused
	}
	owner, refused := t.ownerOf(b, holders)
	if refused != nil {
		return nil, payload{}, refused
	}
	p, problems := parsePayload(b.PayloadJSON)
	problems = append(problems, checkSurroundings(b, owner)...)
	if len(problems) == 0 {
		problems = t.checkPayload(b, owner, p)
	}
	if len(problems) > 0 {
		return nil, payload{}, &ButtonError{Status: http.StatusBadRequest, Problems: problems}
	}
	return owner, p, nil
}

// ownerOf returns the account of a button: of the key, in the environment that
// sandbox says, which is not inferred from the key.
func (t *Twin) ownerOf(b Button, holders []*account) (*account, *ButtonError) {
	environment := map[bool]string{true: "sandbox", false: "live"}[b.Sandbox]
	if e := keyEnvironment(b.PublicKeyID); e != "" && e != environment {
		return nil, refuseButton(http.StatusForbidden, "sandbox", "InvalidAuthentication",
			"it is %t (which it also is when absent), and the key id %s is for %s", b.Sandbox, b.PublicKeyID, e)
	}
	i := slices.IndexFunc(holders, func(a *account) bool { return a.Environment == environment })
	if i < 0 {
		return nil, refuseButton(http.StatusForbidden, "sandbox", "InvalidAuthentication", "the key id %s is not known in %s", b.PublicKeyID, environment)
	}
	if b.MerchantID != holders[i].MerchantID {
		return nil, refuseButton(http.StatusForbidden, "merchantId", "InvalidAuthentication", "%s is not the merchant of the key %s", clip(b.MerchantID, 40), b.PublicKeyID)
	}
	return holders[i], nil
}

// checkSurroundings says what is wrong around the payload.
func checkSurroundings(b Button, owner *account) []problem {
	var found problems
	known := func(field, value string, all ...string) {
		if !slices.Contains(all, value) {
			found.add(field, "InvalidParameterValue", "%q is none of %s", clip(value, 40), strings.Join(all, ", "))
		}
	}
	of := regions[owner.Region]
	known("ledgerCurrency", b.LedgerCurrency, of.Currencies...)
	if b.CheckoutLanguage != "" {
		known("checkoutLanguage", b.CheckoutLanguage, of.Languages...)
	}
	if b.ProductType != "" {
		known("productType", b.ProductType, payAndShip, payOnly)
	}
	known("placement", b.Placement, "Home", "Product", "Cart", "Checkout", "Other")
	if owner.Environment == "live" && len(owner.Origins) > 0 && !slices.Contains(owner.Origins, b.Origin) {
		found.add("origin", "InvalidParameterValue", "%q is not among the account's JavaScript Origins in Seller Central", clip(b.Origin, 100))
	}
	return found
}

// checkPayload says what is wrong with a well-formed payload for this account.
func (t *Twin) checkPayload(b Button, owner *account, p payload) []problem {
	var found problems
	if owner.StoreID != "" && p.StoreID != owner.StoreID {
		found.add("storeId", "InvalidParameterValue", "it is not the account's")
	}
	is, err := t.permissionOf(owner, p.ChargePermissionID)
	switch {
	case errors.Is(err, ErrUnknown):
		found.add("chargePermissionId", "ResourceNotFound", "the account has no charge permission %s", p.ChargePermissionID)
	case err != nil:
		found.add("chargePermissionId", "InternalServerError", "%v", err)
	case is.StatusDetails.State == closed:
		found.add("chargePermissionId", "InvalidChargePermissionStatus", "the charge permission is Closed: its buyer sets up a new one")
	case string(is.ChargePermissionType) != p.ChargePermissionType:
		found.add("chargePermissionType", "InvalidParameterValue", "the charge permission is of the type %s", is.ChargePermissionType)
	case b.ProductType == payOnly && is.ShippingAddress != nil:
		found.add("productType", "InvalidParameterValue", "the charge permission has an address: PayAndShip, also where the payment method alone changes")
	}
	return found
}

// verifyButton checks the signature over the payload, byte for byte. The string
// to sign is the algorithm, a line feed, and the hex SHA-256 of the payload.
func (t *Twin) verifyButton(b Button, pub *rsa.PublicKey) *ButtonError {
	if b.Algorithm == "" {
		b.Algorithm = algorithms()[0].name
	}
	i := slices.IndexFunc(algorithms(), func(a algorithm) bool { return a.name == b.Algorithm })
	if i < 0 {
		return refuseButton(http.StatusBadRequest, "algorithm", "InvalidParameterValue", "%q is none of AMZN-PAY-RSASSA-PSS, AMZN-PAY-RSASSA-PSS-V2", clip(b.Algorithm, 40))
	}
	text := stringToSign(b.Algorithm, b.PayloadJSON)
	digest := sha256.Sum256([]byte(text))
	signature, err := base64.StdEncoding.DecodeString(b.Signature)
	if err == nil && rsa.VerifyPSS(pub, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: algorithms()[i].salt, Hash: crypto.SHA256}) == nil {
		return nil
	}
	if err != nil {
		signature = nil
	}
	refused := &ButtonError{Status: http.StatusForbidden, StringToSign: strings.Split(text, "\n")}
	for _, line := range t.explain(b.PublicKeyID, algorithms()[i], signature, buttonDocument(b.PayloadJSON)) {
		refused.Problems = append(refused.Problems, problem{"signature", "InvalidRequestSignature", line})
	}
	return refused
}
