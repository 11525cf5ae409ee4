package update

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/refresh"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// AnnounceStore stores announced charge permissions.
type AnnounceStore interface {
	// Announce stores charge permissions of an account, and requests a refresh of
	// those that were never read, at the priority of a notification. The ids must
	// be distinct and in key order. It returns a status for each, in the same
	// order, and the wake-ups to send.
	Announce(context.Context, wallet.AccountID, []wallet.ChargePermissionID) ([]wallet.Announcement, []refresh.Wake, error)
}

// Waker sends a wake-up to the queue.
type Waker interface {
	Wake(ctx context.Context, account wallet.AccountID, at time.Time, delay time.Duration) error
}

// AnnouncementRequest is the body of POST /charge-permissions.
type AnnouncementRequest struct {
	ChargePermissionIDs []string `json:"chargePermissionIds"`
	Account             string   `json:"account,omitempty"`
}

// AnnouncementAnswer is the answer of POST /charge-permissions. It has the charge
// permissions in the order of the request.
type AnnouncementAnswer struct {
	ChargePermissions []AnnouncedPermission `json:"chargePermissions"`
}

// AnnouncedPermission is the status of one announced charge permission.
type AnnouncedPermission struct {
	ChargePermissionID wallet.ChargePermissionID `json:"chargePermissionId"`
	Status             wallet.AnnouncementStatus `json:"status"`
}

// MaxAnnounced limits the charge permissions in one request.
const MaxAnnounced = 100

// maxAnnouncementBody limits a request. A hundred ids with spaces fit.
const maxAnnouncementBody = 16 << 10

// announcement is a valid AnnouncementRequest.
type announcement struct {
	ids     []wallet.ChargePermissionID // distinct, in the order of the request
	account wallet.AccountID            // empty if not given
}

// parseAnnouncement parses a request and reports the errors of each member.
func parseAnnouncement(body []byte) (announcement, error) {
	var in AnnouncementRequest
	if err := decodeStrictly(body, &in); err != nil {
		return announcement{}, err
	}
	var bad fieldErrors
	var out announcement
	const member = "chargePermissionIds"
	switch n := len(in.ChargePermissionIDs); {
	case n == 0:
		bad.add(member, "it names no charge permission")
	case n > MaxAnnounced:
		bad.add(member, "it names more than %d charge permissions: send the rest in another request", MaxAnnounced)
		in.ChargePermissionIDs = nil
	}
	seen := map[wallet.ChargePermissionID]bool{}
	for i, s := range in.ChargePermissionIDs {
		id, err := wallet.ParseChargePermissionID(s)
		switch {
		case err != nil:
			bad.add(fmt.Sprintf("%s[%d]", member, i), "it does not have a form such as B01-0000000-0000000")
		case seen[id]:
			bad.add(fmt.Sprintf("%s[%d]", member, i), "duplicate value")
		}
		seen[id] = true
		out.ids = append(out.ids, id)
	}
	if in.Account != "" {
		var err error
		if out.account, err = wallet.ParseAccountID(in.Account); err != nil {
			bad.add("account", "it is not the name of an account in the configuration")
		}
	}
	if len(bad) > 0 {
		return announcement{}, bad
	}
	return out, nil
}

// announce answers POST /charge-permissions: 202 if any of them has not been read
// yet, otherwise 200.
func (s *Start) announce(w http.ResponseWriter, q *http.Request) {
	permissions, err := s.announced(q)
	if err != nil {
		s.refuse(w, q, err, telemetry.AnnouncementRefused, "announce charge permissions: refused")
		return
	}
	status := http.StatusOK
	counts := map[wallet.AnnouncementStatus]int{}
	for _, p := range permissions {
		counts[p.Status]++
		if p.Status.Open() {
			status = http.StatusAccepted
		}
	}
	event := zerolog.Ctx(q.Context()).Info()
	for _, of := range slices.Sorted(maps.Keys(counts)) {
		event.Int(string(of), counts[of])
		s.Metrics.Count(telemetry.Announced, counts[of], telemetry.Labels{Reason: string(of)})
	}
	event.Msg("charge permissions announced")
	writeJSON(w, "application/json", status, AnnouncementAnswer{permissions})
}

// announced carries out POST /charge-permissions.
func (s *Start) announced(q *http.Request) ([]AnnouncedPermission, error) {
	ctx := q.Context()
	if err := s.authenticate(q); err != nil {
		return nil, err
	}
	body, err := readBody(q, maxAnnouncementBody)
	if err != nil {
		return nil, err
	}
	r, err := parseAnnouncement(body)
	if err != nil {
		return nil, invalid(err)
	}
	account, err := s.announcedAccount(r.account)
	if err != nil {
		return nil, err
	}
	got, wakes, err := s.Announcements.Announce(ctx, account, slices.Sorted(slices.Values(r.ids)))
	if err != nil {
		return nil, err
	}
	for _, k := range wakes {
		if err := s.Waker.Wake(ctx, k.Account, k.At, k.Delay); err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Str("account", string(k.Account)).
				Msg("send wake-up: failed; the refresh request is stored, and the reconciler sends the wake-up")
			continue
		}
		s.Metrics.Count(telemetry.WakeUps, 1, telemetry.Labels{Reason: "announcement"})
	}
	status := map[wallet.ChargePermissionID]wallet.AnnouncementStatus{}
	for _, a := range got {
		status[a.ChargePermission] = a.Status
	}
	out := make([]AnnouncedPermission, len(r.ids))
	for i, id := range r.ids {
		out[i] = AnnouncedPermission{id, status[id]}
	}
	return out, nil
}

// announcedAccount returns the named account, or the only one if none is named.
func (s *Start) announcedAccount(named wallet.AccountID) (wallet.AccountID, error) {
	if named == "" && len(s.Accounts) == 1 {
		return s.Accounts[0].ID, nil
	}
	if named == "" {
		return "", invalid(fieldErrors{{"account", "there are several accounts: name the one of these charge permissions"}})
	}
	if _, known := s.Accounts.byID(named); !known {
		return "", invalid(fieldErrors{{"account", "it is not the name of an account in the configuration"}})
	}
	return named, nil
}
