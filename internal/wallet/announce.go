package wallet

// Announcement is the outcome of announcing a charge permission: the merchant
// reports a new Saved Wallet before Amazon's notification arrives.
type Announcement struct {
	ChargePermission ChargePermissionID
	Status           AnnouncementStatus
}

// AnnouncementStatus is the result of an announcement. The merchant's API shows
// it, so the texts keep their meaning.
type AnnouncementStatus string

// The statuses. The first two lead to a read soon, the others to none.
const (
	AnnouncementRequested    AnnouncementStatus = "requested"     // not known until now
	AnnouncementPending      AnnouncementStatus = "pending"       // known, and not read yet
	AnnouncementStored       AnnouncementStatus = "stored"        // read, and kept in step
	AnnouncementNotFollowed  AnnouncementStatus = "not_followed"  // of a type that is not kept in step
	AnnouncementNotFound     AnnouncementStatus = "not_found"     // Amazon Pay does not know it (404)
	AnnouncementErased       AnnouncementStatus = "erased"        // no personal data is stored until the buyer's next update
	AnnouncementOtherAccount AnnouncementStatus = "other_account" // stored for another account of the configuration
)

// AnnouncementStatuses returns every status.
func AnnouncementStatuses() []AnnouncementStatus {
	return []AnnouncementStatus{
		AnnouncementRequested, AnnouncementPending, AnnouncementStored, AnnouncementNotFollowed, AnnouncementNotFound, AnnouncementErased,
		AnnouncementOtherAccount,
	}
}

// Open reports whether the charge permission is still to be read.
func (s AnnouncementStatus) Open() bool {
	return s == AnnouncementRequested || s == AnnouncementPending
}
