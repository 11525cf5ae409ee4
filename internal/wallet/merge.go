package wallet

import "slices"

// Member is a part of a charge permission that is read as a whole or not at all:
// an address that is half old and half new is useless, and so is an amount in
// another currency.
type Member string

// The members of a charge permission.
const (
	MemberType               Member = "type"
	MemberReleaseEnvironment Member = "release_environment"
	MemberState              Member = "state"
	MemberReasons            Member = "reasons"
	MemberStateUpdatedAt     Member = "state_updated_at"
	MemberBuyerID            Member = "buyer_id"
	MemberBuyerName          Member = "buyer_name"
	MemberBuyerEmail         Member = "buyer_email"
	MemberBuyerPhone         Member = "buyer_phone"
	MemberPaymentDescriptors Member = "payment_descriptors"
	MemberShipping           Member = "shipping"
	MemberBilling            Member = "billing"
	MemberLimit              Member = "limit" // amount and currency
	MemberBalance            Member = "balance_amount"
	MemberCreatedAt          Member = "created_at"
	MemberExpiresAt          Member = "expires_at"
)

// copyMember copies each member from one charge permission to another.
var copyMember = map[Member]func(to, from *ChargePermission){
	MemberType:               func(to, from *ChargePermission) { to.Type = from.Type },
	MemberReleaseEnvironment: func(to, from *ChargePermission) { to.ReleaseEnvironment = from.ReleaseEnvironment },
	MemberState:              func(to, from *ChargePermission) { to.State.State = from.State.State },
	MemberReasons:            func(to, from *ChargePermission) { to.Reasons = from.Reasons },
	MemberStateUpdatedAt:     func(to, from *ChargePermission) { to.StateUpdatedAt = from.StateUpdatedAt },
	MemberBuyerID:            func(to, from *ChargePermission) { to.BuyerID = from.BuyerID },
	MemberBuyerName:          func(to, from *ChargePermission) { to.BuyerName = from.BuyerName },
	MemberBuyerEmail:         func(to, from *ChargePermission) { to.BuyerEmail = from.BuyerEmail },
	MemberBuyerPhone:         func(to, from *ChargePermission) { to.BuyerPhone = from.BuyerPhone },
	MemberPaymentDescriptors: func(to, from *ChargePermission) { to.PaymentDescriptors = from.PaymentDescriptors },
	MemberShipping:           func(to, from *ChargePermission) { to.Shipping = from.Shipping },
	MemberBilling:            func(to, from *ChargePermission) { to.Billing = from.Billing },
	MemberLimit: func(to, from *ChargePermission) {
		to.LimitAmount, to.LimitCurrency = from.LimitAmount, from.LimitCurrency
	},
	MemberBalance:   func(to, from *ChargePermission) { to.BalanceAmount = from.BalanceAmount },
	MemberCreatedAt: func(to, from *ChargePermission) { to.CreatedAt = from.CreatedAt },
	MemberExpiresAt: func(to, from *ChargePermission) { to.ExpiresAt = from.ExpiresAt },
}

// Merge returns the charge permission to store when Amazon Pay returned after and
// before is stored (nil if nothing is). It is after, except for what must not be
// mistaken for a removal (design, invariant 9):
//
//   - members that could not be read keep their stored value;
//   - the buyer's id, name, e-mail and phone keep theirs one by one when they
//     are missing: Amazon stops sending them 30 days after the charge permission
//     closed, and of OneTime 30 days after its creation;
//   - for the same reason an address or the payment descriptors keep theirs when
//     all of it is missing and no reason code explains that. A new address
//     without a second line has none.
//
// Erased data stays erased, because it is not in before either.
func Merge(before *ChargePermission, after ChargePermission, unreadable []Member) ChargePermission {
	if before == nil {
		return after
	}
	for _, m := range unreadable {
		copyMember[m](&after, before)
	}
	for _, m := range missing(after) {
		copyMember[m](&after, before)
	}
	return after
}

// missing returns the members that Amazon no longer sends although they were not
// removed.
func missing(p ChargePermission) (out []Member) {
	// Amazon Pay API, "Charge Permission object", reason codes: without its
	// payment method a charge permission has neither descriptor nor billing
	// address.
	noPaymentMethod := p.hasReason("PaymentMethodDeleted", "PaymentMethodNotSet")
	for _, m := range []struct {
		Member
		missing bool
	}{
		{MemberBuyerID, p.BuyerID == ""},
		{MemberBuyerName, p.BuyerName == ""},
		{MemberBuyerEmail, p.BuyerEmail == ""},
		{MemberBuyerPhone, p.BuyerPhone == ""},
		{MemberShipping, p.Shipping == Address{}},
		{MemberBilling, p.Billing == Address{} && !noPaymentMethod && !p.hasReason("BillingAddressDeleted")},
		{MemberPaymentDescriptors, len(p.PaymentDescriptors) == 0 && !noPaymentMethod},
	} {
		if m.missing {
			out = append(out, m.Member)
		}
	}
	return out
}

func (p ChargePermission) hasReason(codes ...string) bool {
	return slices.ContainsFunc(p.Reasons, func(r Reason) bool { return slices.Contains(codes, r.Code) })
}
