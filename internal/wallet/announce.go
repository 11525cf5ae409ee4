package wallet

// Announcement is what came of announcing a charge permission: whoever sold a
// Saved Wallet says that there is one, before Amazon's notification does.
type Announcement struct {
	ChargePermission ChargePermissionID
	Status           AnnouncementStatus
}

// AnnouncementStatus says what an announcement led to. The merchant's API shows
// it, so the texts keep their meaning.
type AnnouncementStatus string

// The statuses. The first two are read soon; the others ask for nothing.
const (
	AnnouncementRequested    AnnouncementStatus = "requested"     // not known until now
	AnnouncementPending      AnnouncementStatus = "pending"       // known, and not read yet
	AnnouncementStored       AnnouncementStatus = "stored"        // read, and kept in step
	AnnouncementNotFollowed  AnnouncementStatus = "not_followed"  // of a type that is not kept in step
	AnnouncementNotFound     AnnouncementStatus = "not_found"     // Amazon Pay does not know it (404)
	AnnouncementErased       AnnouncementStatus = "erased"        // no personal data is stored until the buyer's next update
	AnnouncementOtherAccount AnnouncementStatus = "other_account" // stored for another account of the configuration
)

// AnnouncementStatuses are all of them.
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
