package twin

import (
	"strings"
	"testing"
	"time"
)

const aTrace = `{"after":"0s","late":"10ms","chargePermission":"S01-0000000-0000001","objectType":"CHARGE_PERMISSION","object":"S01-0000000-0000001","type":"ATTRIBUTE_CHANGE","outcome":"wanted"}

{"after":"1.5s","late":"0s","chargePermission":"S01-0000000-0000002","objectType":"CHARGE","object":"S01-0000000-0000002-C000001","type":"STATE_CHANGE"}
`

func TestATraceIsRead(t *testing.T) {
	all, err := ReadTrace(strings.NewReader(aTrace))
	if err != nil || len(all) != 2 || all[1].After != Duration(1500*time.Millisecond) || all[0].Late != Duration(10*time.Millisecond) {
		t.Errorf("%+v, %v", all, err)
	}
	for _, bad := range []string{
		`{`, `{"after":"soon"}`, strings.ReplaceAll(aTrace, "S01-0000000-0000001", "somebody"), strings.Replace(aTrace, `"object":"S01`, `"object":"S02`, 1),
		strings.Replace(aTrace, `"after":"0s"`, `"after":"2s"`, 1), strings.Repeat("x", maxTraceLine+1),
	} {
		if all, err := ReadTrace(strings.NewReader(bad)); err == nil {
			t.Errorf("%.80s was read as %+v", bad, all)
		}
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add(aTrace)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ReadTrace(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, e := range all {
			if e.After < 0 || e.Late < 0 || !permissionID.MatchString(e.ChargePermission) {
				t.Errorf("read: %+v", e)
			}
		}
	})
}
