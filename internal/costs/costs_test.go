package costs

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the table into functions/README.md")

// The marks between which functions/README.md has the table.
const begin, end = "<!-- costs: begin -->\n", "<!-- costs: end -->\n"

func load(t *testing.T) Inputs {
	t.Helper()
	in, err := Load(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestTheTableIsInTheREADME(t *testing.T) {
	const file = "../../functions/README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	there, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks of the table", file)
	}
	want := Table(load(t))
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, there); diff != "" {
		t.Errorf("%s (-update rewrites it): %s", file, diff)
	}
}

// A bill computed by hand, of prices that make it easy.
func TestABillIsWhatIsUsedTimesItsPrice(t *testing.T) {
	in := load(t)
	for name := range in.Prices.Of {
		in.Prices.Of[name] = Price{Per: 1}
	}
	in.Measured.Functions = map[string]Function{"ipn-receiver": {CPU: 10}, "ipn-worker": {CPU: 20}, "reconciler": {}, "update-start": {}, "checkout-return": {}}
	in.Measured.Runs, in.Measured.Fetches, in.Measured.Messages = 2, 2, 2
	in.Assumed = Assumed{Memory: map[string]float64{"ipn-receiver": 1769, "ipn-worker": 1769, "reconciler": 1769, "update-start": 1769, "checkout-return": 1769},
		AmazonMs: 100, FetchesASecond: 2, ReconcileEvery: 5, Pollers: 5, AlarmMetrics: 7, Secrets: 5, VPCSecrets: 1, AuroraACU: 0.5, NATGateways: 2}
	for _, c := range []struct {
		price string
		item  string
		n     float64
		form  Form
		want  float64
	}{
		{"lambda_requests", "Lambda", 0, Default, 8760},              // the reconciler's
		{"lambda_requests", "Lambda", 1000, Default, 8760 + 3000},    // and a receiver's and two worker's each
		{"lambda_requests", "Lambda", 1e7, Default, 8760 + 15.256e6}, // the share fetches 5,256,000: so many runs are confirmations or first ones
		{"sqs_requests", "SQS", 0, Default, 657000},                  // five pollers, thrice a minute
		{"sqs_requests", "SQS", 1000, Default, 657000 + 2000 + 4000}, // sent; received and deleted
		{"alarm_metrics", "Alarms and dashboard", 0, Default, 7},     //
		{"secrets", "Secrets", 0, Default, 5},                        //
		{"secrets", "Secrets", 0, VPC, 6},                            //
		{"aurora_acu_hours", "Aurora", 1e7, VPC, 365},                //
		{"nat_hours", "NAT gateways", 0, VPC, 1460},                  //
		{"lambda_gb_seconds", "Lambda", 1000, Default, 1769. / 1024 * (1000*0.010 + 2000*0.120)},
	} {
		if c.price == "lambda_requests" && c.n == 1e7 {
			c.want = 8760 + 1e7 + 1e7*(1+5.256e6/2e7)
		}
		in.Prices.Of[c.price] = Price{USD: 1, Per: 1, Free: 10}
		for _, item := range Bill(in, c.form, c.n) {
			switch want := c.want; {
			case item.Name != c.item:
				want = 0
				fallthrough
			default:
				if d := item.USD - want; d > 1e-6 || d < -1e-6 {
					t.Errorf("%s, %s at %v: %v, want %v", c.price, item.Name, c.n, item.USD, want)
				}
				if free := min(want, 10); item.Free-free > 1e-6 || free-item.Free > 1e-6 {
					t.Errorf("%s, %s at %v: %v free, want %v", c.price, item.Name, c.n, item.Free, free)
				}
			}
		}
		in.Prices.Of[c.price] = Price{Per: 1}
	}
}

func TestInputsAreChecked(t *testing.T) {
	for name, files := range map[string][3]string{
		"measured":                    {`{"functions":{}}`, "", ""},
		"assumed":                     {"", `{"memoryMB":{}}`, ""},
		"nat_gb is missing":           {"", "", strings.Replace(string(prices), `"nat_gb"`, `"nat_gigabyte"`, 1)},
		"unknown field":               {"", `{"memory":{}}`, ""},
		"sqs_requests is missing, or": {"", "", strings.Replace(string(prices), `"sqs_requests": {"usd": 0.40, "per": 1e6`, `"sqs_requests": {"usd": 0.40, "per": 0`, 1)},
	} {
		var given [3][]byte
		for i, f := range files {
			if f != "" {
				given[i] = []byte(f)
			}
		}
		if _, err := Load(given[0], given[1], given[2]); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryPriceHasItsSource(t *testing.T) {
	in := load(t)
	for name, p := range in.Prices.Of {
		if !strings.HasPrefix(p.Source, "https://aws.amazon.com/") || p.Unit == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if in.Prices.Read == "" || in.Measured.On == "" {
		t.Error("the date is missing")
	}
}
