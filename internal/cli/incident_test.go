package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

type inbox []refresh.Recorded

func (i inbox) Inbox(_ context.Context, _ wallet.AccountID, _, _ time.Time, each func(refresh.Recorded) error) error {
	for _, r := range i {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

func TestTraceIdentifiesNoBuyer(t *testing.T) {
	at := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	late := func(d time.Duration) time.Time { return at.Add(d) }
	store := inbox{
		{ChargePermission: "P02-1234567-7654321", ObjectType: "CHARGE_PERMISSION", Object: "P02-1234567-7654321", Type: "STATE_CHANGE", Published: at, Arrived: late(time.Second), Processed: late(2 * time.Second), Outcome: "wanted"},
		{ChargePermission: "P02-7777777-7777777", ObjectType: "CHARGE", Object: "P02-7777777-7777777-C012345", Type: "STATE_CHANGE", Published: late(time.Minute), Arrived: late(50 * time.Second), Processed: late(2 * time.Minute), Outcome: "covered"},
		{ChargePermission: "P02-1234567-7654321", ObjectType: "REFUND", Object: "P02-7777777-7777777-C012345", Type: "STATE_CHANGE", Published: late(61 * time.Second), Arrived: late(62 * time.Second), Processed: late(2 * time.Minute), Outcome: "wanted"},
	}
	var out bytes.Buffer
	n, err := writeTrace(t.Context(), &out, store, "main", at, at)
	if err != nil || n != len(store) {
		t.Fatal(n, err)
	}
	const want = `{"after":"0s","late":"1s","chargePermission":"S01-0000000-0000001","objectType":"CHARGE_PERMISSION","object":"S01-0000000-0000001","type":"STATE_CHANGE","waited":"1s","outcome":"wanted"}
{"after":"1m0s","late":"0s","chargePermission":"S01-0000000-0000002","objectType":"CHARGE","object":"S01-0000000-0000002-X000001","type":"STATE_CHANGE","waited":"1m10s","outcome":"covered"}
{"after":"1m1s","late":"1s","chargePermission":"S01-0000000-0000001","objectType":"REFUND","object":"S01-0000000-0000002-X000001","type":"STATE_CHANGE","waited":"58s","outcome":"wanted"}
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	for _, r := range store {
		for _, id := range []string{string(r.ChargePermission), r.Object} {
			if strings.Contains(out.String(), id) {
				t.Errorf("%s is in the trace", id)
			}
		}
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{"90m": now.Add(-90 * time.Minute), "0s": now, "2026-11-24T09:30:00+01:00": now.Add(-210 * time.Minute)} {
		if got, err := parseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "yesterday", "-1h", "2026-11-24"} {
		if at, err := parseTime(bad, now); err == nil {
			t.Errorf("%q is %v", bad, at)
		}
	}
}
