package refresh

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/wallet"
)

// permissionOf converts Amazon's answer. The result can always be stored: text has
// no NUL, amounts are numbers, times are in range. Unreadable are the members that
// Amazon sent in an unknown form; they are empty here and stay in raw.
func permissionOf(id wallet.ChargePermissionID, a *amazonpay.ChargePermission) (p wallet.ChargePermission, unreadable []wallet.Member, err error) {
	if a.ID != "" && a.ID != string(id) {
		return p, nil, fmt.Errorf("answered with charge permission %q instead of %s", a.ID, id)
	}
	p = wallet.ChargePermission{
		ID:                 id,
		Type:               clean(a.Type),
		ReleaseEnvironment: clean(a.ReleaseEnvironment),
		State: wallet.State{
			State:          clean(a.StatusDetails.State),
			StateUpdatedAt: a.StatusDetails.LastUpdatedTimestamp.UTC(),
		},
		Buyer: wallet.Buyer{
			BuyerID: clean(a.Buyer.BuyerID), BuyerName: clean(a.Buyer.Name),
			BuyerEmail: clean(a.Buyer.Email), BuyerPhone: clean(a.Buyer.PhoneNumber),
		},
		Shipping:  addressOf(a.ShippingAddress),
		Billing:   addressOf(a.BillingAddress),
		CreatedAt: a.CreationTimestamp.UTC(),
		ExpiresAt: a.ExpirationTimestamp.UTC(),
		Limits: wallet.Limits{
			LimitAmount:   a.Limits.AmountLimit.Amount,
			BalanceAmount: a.Limits.AmountBalance.Amount,
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
	for _, name := range a.Unreadable {
		unreadable = append(unreadable, membersOf(name)...)
	}
	return p, unreadable, nil
}

// members are the names of Amazon's members, each with our members that keep their
// stored value if it is unreadable. For an address any part counts.
var members = []struct {
	name string
	kept []wallet.Member
}{
	{"chargePermissionType", []wallet.Member{wallet.MemberType}},
	{"releaseEnvironment", []wallet.Member{wallet.MemberReleaseEnvironment}},
	{"buyer", []wallet.Member{wallet.MemberBuyerID, wallet.MemberBuyerName, wallet.MemberBuyerEmail, wallet.MemberBuyerPhone}},
	{"buyer.buyerId", []wallet.Member{wallet.MemberBuyerID}},
	{"buyer.name", []wallet.Member{wallet.MemberBuyerName}},
	{"buyer.email", []wallet.Member{wallet.MemberBuyerEmail}},
	{"buyer.phoneNumber", []wallet.Member{wallet.MemberBuyerPhone}},
	{"shippingAddress", []wallet.Member{wallet.MemberShipping}},
	{"shippingAddress.*", []wallet.Member{wallet.MemberShipping}},
	{"billingAddress", []wallet.Member{wallet.MemberBilling}},
	{"billingAddress.*", []wallet.Member{wallet.MemberBilling}},
	{"paymentPreferences", []wallet.Member{wallet.MemberPaymentDescriptors}},
	{"statusDetails", []wallet.Member{wallet.MemberState, wallet.MemberReasons, wallet.MemberStateUpdatedAt}},
	{"statusDetails.state", []wallet.Member{wallet.MemberState}},
	{"statusDetails.reasons", []wallet.Member{wallet.MemberReasons}},
	{"statusDetails.reasons.reasonDescription", nil}, // for people; the code decides
	{"statusDetails.lastUpdatedTimestamp", []wallet.Member{wallet.MemberStateUpdatedAt}},
	{"creationTimestamp", []wallet.Member{wallet.MemberCreatedAt}},
	{"expirationTimestamp", []wallet.Member{wallet.MemberExpiresAt}},
	{"limits", []wallet.Member{wallet.MemberLimit, wallet.MemberBalance}},
	{"limits.amountLimit", []wallet.Member{wallet.MemberLimit}},
	{"limits.amountLimit.amount", []wallet.Member{wallet.MemberLimit}},
	{"limits.amountLimit.currencyCode", []wallet.Member{wallet.MemberLimit}},
	{"limits.amountBalance", []wallet.Member{wallet.MemberBalance}},
	{"limits.amountBalance.amount", []wallet.Member{wallet.MemberBalance}},
	{"limits.amountBalance.currencyCode", nil}, // not stored
}

// membersOf returns the members to keep if Amazon's member of that name is
// unreadable.
func membersOf(name string) []wallet.Member {
	for _, m := range members {
		if prefix, any := strings.CutSuffix(m.name, "*"); name == m.name || any && strings.HasPrefix(name, prefix) {
			return m.kept
		}
	}
	return nil
}

func addressOf(a amazonpay.Address) wallet.Address {
	return wallet.Address{
		Name: clean(a.Name), Line1: clean(a.AddressLine1), Line2: clean(a.AddressLine2), Line3: clean(a.AddressLine3),
		City: clean(a.City), County: clean(a.County), District: clean(a.District), StateOrRegion: clean(a.StateOrRegion),
		PostalCode: clean(a.PostalCode), CountryCode: clean(a.CountryCode), Phone: clean(a.PhoneNumber),
	}
}

// clean removes NUL characters, which PostgreSQL's text cannot hold.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// maxDepth is how deep JSON may be nested to be stored as such. Amazon's answers
// have four levels; thousands exhaust the database server's stack.
const maxDepth = 100

// rawOf returns Amazon's body in a form that jsonb accepts: without NUL and without
// half a surrogate pair. Both can only be written as escapes, so a body without
// escapes stays as it is. A body that is nested too deeply becomes a text.
func rawOf(body json.RawMessage) (json.RawMessage, error) {
	if depth(body) > maxDepth {
		return json.Marshal(string(body))
	}
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

// depth returns how deep a JSON value is nested.
func depth(body []byte) (deepest int) {
	level, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{', c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}', c == ']':
			level--
		}
	}
	return deepest
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

// readAt is the time of the request by Amazon's clock; the answer is at least as
// new. It is zero without a usable Date.
func readAt(r amazonpay.Response) time.Time {
	if r.Date.IsZero() {
		return time.Time{}
	}
	return r.Date.Add(-r.Duration)
}

// responseOf returns the response of an API error, empty for other errors.
func responseOf(err error) amazonpay.Response {
	var refused *amazonpay.Error
	if errors.As(err, &refused) {
		return refused.Response
	}
	return amazonpay.Response{}
}
