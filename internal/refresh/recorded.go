package refresh

import (
	"time"

	"walletsync/internal/wallet"
)

// Recorded is a notification in the inbox.
type Recorded struct {
	ChargePermission wallet.ChargePermissionID
	ObjectType       string
	Object           string
	Type             string
	Published        time.Time // Amazon's clock
	Arrived          time.Time // the receiver's
	Processed        time.Time // Postgres's
	Outcome          string
}
