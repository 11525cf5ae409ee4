package amazonpay

import "walletsync/internal/amazonpay/merchant"

// The settings of a merchant account, as package merchant has them.
type (
	Region      = merchant.Region
	Environment = merchant.Environment
	Algorithm   = merchant.Algorithm
)

// Their values.
const (
	NA = merchant.NA
	EU = merchant.EU
	JP = merchant.JP

	Live    = merchant.Live
	Sandbox = merchant.Sandbox

	PSSV2 = merchant.PSSV2
	PSS   = merchant.PSS
)
