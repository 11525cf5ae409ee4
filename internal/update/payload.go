package update

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"walletsync/internal/amazonpay"
	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/update/pages"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

// payload is the Create Checkout Session configuration of an update
// ("amazon-pay-paymentmethodonfile", step 4).
type payload struct {
	WebCheckoutDetails          webCheckoutDetails          `json:"webCheckoutDetails"`
	StoreID                     string                      `json:"storeId"`
	ChargePermissionID          wallet.ChargePermissionID   `json:"chargePermissionId"`
	ChargePermissionType        string                      `json:"chargePermissionType"`
	PaymentMethodOnFileMetadata paymentMethodOnFileMetadata `json:"paymentMethodOnFileMetadata"`
	PaymentDetails              paymentDetails              `json:"paymentDetails"`
	session.Details
}

type webCheckoutDetails struct {
	CheckoutResultReturnURL string `json:"checkoutResultReturnUrl"`
	CheckoutCancelURL       string `json:"checkoutCancelUrl,omitempty"`
}

type paymentMethodOnFileMetadata struct {
	SetupOnly bool `json:"setupOnly"`
}

type paymentDetails struct {
	PaymentIntent                 string `json:"paymentIntent"`
	CanHandlePendingAuthorization bool   `json:"canHandlePendingAuthorization"`
}

// paymentMethodOnFile is the only type of charge permission that Amazon's update
// page accepts.
const paymentMethodOnFile = "PaymentMethodOnFile"

// Signer signs a button's payload with an account's key.
type Signer interface {
	SignPayload(ctx context.Context, payload []byte) (signature string, err error)
}

// checkout returns the parameters of amazon.Pay.initCheckout. The payload is
// encoded once; the same bytes are signed and passed to the page.
func (s *Start) checkout(ctx context.Context, a Account, u session.Session) (pages.Checkout, error) {
	returnURL, err := s.Site.returnURL(ctx, u.ID, u.ExpiresAt)
	if err != nil {
		return pages.Checkout{}, err
	}
	p := payload{
		WebCheckoutDetails:          webCheckoutDetails{CheckoutResultReturnURL: returnURL},
		StoreID:                     a.StoreID,
		ChargePermissionID:          u.ChargePermission,
		ChargePermissionType:        paymentMethodOnFile,
		PaymentMethodOnFileMetadata: paymentMethodOnFileMetadata{s.SetupOnly},
		PaymentDetails:              paymentDetails{PaymentIntent: "Confirm"},
		Details:                     u.Details,
	}
	if s.CancelURL {
		p.WebCheckoutDetails.CheckoutCancelURL = cancelURL(returnURL)
	}
	if u.ProductType == payOnly {
		p.DeliverySpecifications = nil // the buyer chooses no address
	}
	text, err := amazonpay.MarshalPayload(p)
	if err != nil {
		return pages.Checkout{}, err
	}
	signer, err := s.Signer(a.ID)
	if err != nil {
		return pages.Checkout{}, err
	}
	signature, err := signer.SignPayload(ctx, text)
	if err != nil {
		return pages.Checkout{}, fmt.Errorf("sign the payload: %w", err)
	}
	return pages.Checkout{
		ScriptURL:        cmp.Or(a.ScriptURL, a.Region.CheckoutScript()),
		MerchantID:       a.MerchantID,
		PublicKeyID:      a.PublicKeyID,
		LedgerCurrency:   a.LedgerCurrency,
		CheckoutLanguage: checkoutLanguage(a.Region, u.Locale),
		ProductType:      u.ProductType,
		Placement:        "Other",
		Sandbox:          sandbox(a),
		PayloadJSON:      string(text),
		Signature:        signature,
		Algorithm:        string(a.Algorithm),
	}, nil
}

// sandbox reports whether an account is in the sandbox. The key decides if its id
// names the environment. It is always passed to initCheckout, whose default is
// false.
func sandbox(a Account) bool {
	if e, bound := merchant.KeyEnvironment(a.PublicKeyID); bound {
		return e == merchant.Sandbox
	}
	return a.Environment == merchant.Sandbox
}

// checkoutLanguage returns the region's language that is nearest to a locale: the
// same language and country, the same language, or the region's default.
// checkout.js throws an error if the language belongs to another region.
func checkoutLanguage(r amazonpay.Region, locale string) string {
	languages := r.CheckoutLanguages()
	wanted := strings.ReplaceAll(locale, "-", "_")
	for _, l := range languages {
		if strings.EqualFold(l, wanted) {
			return l
		}
	}
	wanted, _, _ = strings.Cut(wanted, "_")
	for _, l := range languages {
		if language, _, _ := strings.Cut(l, "_"); strings.EqualFold(language, wanted) {
			return l
		}
	}
	return languages[0]
}

// productType returns the product type of an update. It needs an address if the
// buyer changes one or the charge permission has one. It returns an error if the
// requested type is PayOnly but an address is needed. Amazon's answers do not
// contain the type.
func productType(r request, hasAddress bool) (string, error) {
	switch {
	case r.productType == payAndShip, r.update != pages.PaymentMethod:
		return payAndShip, nil
	case !hasAddress:
		return payOnly, nil
	case r.productType == payOnly:
		return "", fieldErrors{{"productType", "the charge permission has a shipping address, which needs " + payAndShip}}
	}
	return payAndShip, nil
}
