package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"walletsync/internal/local/aws/awsjson"
	"walletsync/internal/local/twin"
)

// TestAChangeIsPublishedToTheBus: the event has the change's position, the next run
// publishes events that EventBridge refused, and no event has personal data.
func TestAChangeIsPublishedToTheBus(t *testing.T) {
	s := running(t)
	const id = "S01-1000002-1000002"
	settled(t, s, id)
	if _, err := s.Push.Invoke(t.Context(), []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	s.Bus.Inject(awsjson.Fault{Operation: "PutEvents", Calls: 3, Status: http.StatusInternalServerError}) // the SDK makes three attempts
	if _, err := s.Twin.Change(id, []byte(`{"shippingAddress":{"city":"Pushville"}}`), twin.Notify{}); err != nil {
		t.Fatal(err)
	}
	var position int64
	until(t, "the change", func() (bool, error) {
		err := s.DB.QueryRow(t.Context(), `select coalesce(max(position), 0) from back_office.timeline
			where charge_permission_id = $1 and after ->> 'city' = 'Pushville'`, id).Scan(&position)
		return position > 0, err
	})
	want := fmt.Sprintf(`{"version":1,"account":"main","chargePermissionId":%q,"facet":"shipping_address","position":%d}`, id, position)
	until(t, "the event", func() (bool, error) {
		_, _ = s.Push.Invoke(t.Context(), []byte(`{}`)) // fails while the bus fails
		for _, e := range s.Bus.Events() {
			if e.Detail == want {
				return true, nil
			}
		}
		return false, nil
	})
	if calls := s.Bus.Calls()["PutEvents"]; calls < 4 {
		t.Errorf("%d calls; three of them failed", calls)
	}
	for _, e := range s.Bus.Events() {
		if strings.Contains(e.Detail, "Pushville") {
			t.Errorf("personal data on the bus: %s", e.Detail)
		}
	}
}
