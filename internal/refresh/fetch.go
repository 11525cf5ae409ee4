package refresh

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/wallet"
)

// permissionOf puts Amazon's words into ours. What it returns can be stored
// whatever Amazon sent: text without NUL, amounts that are numbers, times that
// are in reach. What does not fit is left out here and stays in raw.
func permissionOf(id wallet.ChargePermissionID, a *amazonpay.ChargePermission) (wallet.ChargePermission, error) {
	if a.ID != "" && a.ID != string(id) {
		return wallet.ChargePermission{}, fmt.Errorf("answered with charge permission %q instead of %s", a.ID, id)
	}
	p := wallet.ChargePermission{
		ID:                 id,
		Type:               clean(a.Type),
		ReleaseEnvironment: clean(a.ReleaseEnvironment),
		State: wallet.State{
			State:          clean(a.StatusDetails.State),
			StateUpdatedAt: reachable(a.StatusDetails.LastUpdatedTimestamp.Time),
		},
		Buyer: wallet.Buyer{
			BuyerID: clean(a.Buyer.BuyerID), BuyerName: clean(a.Buyer.Name),
			BuyerEmail: clean(a.Buyer.Email), BuyerPhone: clean(a.Buyer.PhoneNumber),
		},
		Shipping:  addressOf(a.ShippingAddress),
		Billing:   addressOf(a.BillingAddress),
		CreatedAt: reachable(a.CreationTimestamp.Time),
		ExpiresAt: reachable(a.ExpirationTimestamp.Time),
		Limits: wallet.Limits{
			LimitAmount:   amount(a.Limits.AmountLimit.Amount),
			BalanceAmount: amount(a.Limits.AmountBalance.Amount),
			LimitCurrency: clean(a.Limits.AmountLimit.CurrencyCode),
		},
	}
	for _, r := range a.StatusDetails.Reasons {
		p.Reasons = append(p.Reasons, wallet.Reason{Code: clean(r.Code), Description: clean(r.Description)})
	}
	for _, m := range a.PaymentPreferences {
		if d := clean(m.PaymentDescriptor); d != "" {
			p.PaymentDescriptors = append(p.PaymentDescriptors, d)
		}
	}
	return p, nil
}

func addressOf(a amazonpay.Address) wallet.Address {
	return wallet.Address{
		Name: clean(a.Name), Line1: clean(a.AddressLine1), Line2: clean(a.AddressLine2), Line3: clean(a.AddressLine3),
		City: clean(a.City), County: clean(a.County), District: clean(a.District), StateOrRegion: clean(a.StateOrRegion),
		PostalCode: clean(a.PostalCode), CountryCode: clean(a.CountryCode), Phone: clean(a.PhoneNumber),
	}
}

// clean takes out what PostgreSQL's text cannot hold: the NUL character.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// decimal is an amount as Amazon writes it, with room to spare.
var decimal = regexp.MustCompile(`^-?[0-9]{1,20}(\.[0-9]{1,6})?$`)

func amount(s string) string {
	if !decimal.MatchString(s) {
		return ""
	}
	return s
}

// reachable leaves out a time that PostgreSQL or JSON (RFC 3339) cannot write.
func reachable(t time.Time) time.Time {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t.UTC()
}

// rawOf returns what Amazon sent as jsonb takes it, which knows neither NUL nor
// half a surrogate pair. Both can only be written as escapes, so a body without
// any is passed on as it is.
func rawOf(body json.RawMessage) (json.RawMessage, error) {
	if !bytes.Contains(body, []byte(`\u`)) {
		return body, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(cleanAll(v))
}

func cleanAll(v any) any {
	switch v := v.(type) {
	case string:
		return clean(v)
	case []any:
		for i := range v {
			v[i] = cleanAll(v[i])
		}
	case map[string]any:
		for k, member := range v {
			if c := clean(k); c != k {
				delete(v, k)
				k = c
			}
			v[k] = cleanAll(member)
		}
	}
	return v
}

// readAt is the moment that an answer is at least as new as, by Amazon's clock:
// when it was asked for. Zero without a usable Date.
func readAt(r amazonpay.Response) time.Time {
	if r.Date.IsZero() {
		return time.Time{}
	}
	return r.Date.Add(-r.Duration)
}

// responseOf returns what is known of the answer that an error stands for.
func responseOf(err error) amazonpay.Response {
	var refused *amazonpay.Error
	if errors.As(err, &refused) {
		return refused.Response
	}
	return amazonpay.Response{}
}
