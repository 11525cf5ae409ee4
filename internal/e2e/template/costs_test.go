package template

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// This file computes the table of costs in functions/README.md from three files in
// testdata/costs: measurements of the local stack, assumptions about a merchant,
// and AWS list prices.

// measurements are taken on the local stack by the benchmark BenchmarkForCosts
// (internal/e2e).
type measurements struct {
	On        string           `json:"on"` // date
	How       string           `json:"how"`
	Functions map[string]usage `json:"functions"`
	// Per notification that arrives alone: worker runs, calls to Amazon Pay, and
	// messages sent to the queue, wake-ups included.
	Runs     float64 `json:"runsPerNotification"`
	Fetches  float64 `json:"fetchesPerNotification"`
	Messages float64 `json:"messagesPerNotification"`
	// Series counts custom metrics in CloudWatch: of an idle deployment, and of one
	// that uses every feature without errors.
	IdleSeries    int     `json:"idleSeries"`
	BusySeries    int     `json:"busySeries"`
	DatabaseBytes float64 `json:"databaseBytesPerRun"` // that a worker's run sends to Postgres
}

// usage is the usage of one invocation.
type usage struct {
	CPU      float64 `json:"cpuMs"` // user and system time, in milliseconds
	LogBytes float64 `json:"logBytes"`
	PeakMB   float64 `json:"peakMB"`
}

// assumed has values that cannot be measured here.
type assumed struct {
	// Memory is each function's memory in MB, as in template.yaml. It determines CPU: one
	// vCPU at 1,769 MB (Lambda Developer Guide, "Configure Lambda function
	// memory").
	Memory         map[string]float64 `json:"memoryMB"`
	AmazonMs       float64            `json:"amazonPayMs"` // one call
	AmazonOut      float64            `json:"amazonPayBytesOut"`
	AmazonIn       float64            `json:"amazonPayBytesIn"`
	PostgresMs     float64            `json:"postgresMs"`       // one round trip
	SQSMs          float64            `json:"sqsMs"`            // one call, from within AWS
	Updates        float64            `json:"updates"`          // share of notifications that come from updates through walletsync
	FetchesASecond float64            `json:"fetchesPerSecond"` // the share of Amazon Pay's quota
	// Pollers poll the queue all the time, three times a minute each (Lambda
	// Developer Guide, "Using Lambda with Amazon SQS").
	Pollers         float64 `json:"pollers"`
	ReconcileEvery  float64 `json:"reconcileMinutes"`
	PlatformBytes   float64 `json:"platformLogBytes"` // Lambda's own lines, of one invocation
	AccessBytes     float64 `json:"accessLogBytes"`   // the HTTP API's line of one request
	AlarmMetrics    float64 `json:"alarmMetrics"`     // metrics that template.yaml's alarms read
	Dashboards      float64 `json:"dashboards"`
	Secrets         float64 `json:"secrets"`
	NATGateways     float64 `json:"natGateways"`
	AuroraACU       float64 `json:"auroraCapacityUnits"`
	StorageGB       float64 `json:"storageGB"`              // at the start
	StorageKB       float64 `json:"storageKBPerNotice"`     // stored in Postgres per notification
	KeptMonths      float64 `json:"keptMonths"`             // months for which notifications are kept
	DatabaseIO      float64 `json:"databaseIOPerRun"`       // Aurora's read and write requests
	VPCAlarmMetrics float64 `json:"vpcAlarmMetrics"`        // more of them with a cluster
	VPCSecrets      float64 `json:"vpcSecrets"`             // more of them with a cluster
	SecretReads     float64 `json:"secretReadsPerFunction"` // every five minutes in which it runs
}

// price is the price of a unit.
type price struct {
	USD    float64 `json:"usd"`
	Per    float64 `json:"per"`  // units
	Unit   string  `json:"unit"` // in words
	Free   float64 `json:"free"` // free units a month, for every account without an end
	Source string  `json:"source"`
}

// prices are AWS's, by name.
type prices struct {
	Read   string           `json:"read"` // date
	Region string           `json:"region"`
	Note   string           `json:"note"`
	Of     map[string]price `json:"prices"`
}

type inputs struct {
	measured measurements
	assumed  assumed
	prices   prices
}

func costInputs(t *testing.T) (in inputs) {
	t.Helper()
	for name, into := range map[string]any{"measured": &in.measured, "assumed": &in.assumed, "prices": &in.prices} {
		text, err := os.ReadFile("testdata/costs/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return in
}

// deployment is how walletsync is deployed.
type deployment int

// The deployments: with the merchant's database, reached over the internet; and in
// a VPC with a new Aurora cluster.
const (
	byDefault deployment = iota
	inVPC
)

// billItem is one line of a bill.
type billItem struct {
	Name string
	USD  float64 // a month, without the free tier
	Free float64 // value of the free tier
}

// The seconds, hours and minutes of a month, as AWS counts it: 730 hours.
const (
	hours   = 730
	minutes = hours * 60
	seconds = minutes * 60
)

// bill returns the costs of a number of notifications a month.
func bill(in inputs, form deployment, notifications float64) []billItem {
	m, a := in.measured, in.assumed
	// A single notification costs what was measured. If more arrive than the share of
	// the quota can fetch, one fetch serves several.
	fetches := math.Min(notifications*m.Fetches, a.FetchesASecond*seconds)
	confirmed := 1.0
	if notifications > 0 {
		confirmed = fetches / (notifications * m.Fetches)
	}
	runs := notifications * (1 + (m.Runs-1)*confirmed)
	messages := notifications * (1 + (m.Messages-1)*confirmed)
	updates := notifications * a.Updates
	reconciled := minutes / a.ReconcileEvery

	invocations := map[string]float64{
		"ipn-receiver": notifications, "ipn-worker": runs, "reconciler": reconciled,
		"update-start": 2 * updates, "checkout-return": updates, // the session, and its page
	}
	waits := map[string]float64{ // milliseconds of one invocation beside its own CPU
		"ipn-receiver": a.SQSMs, "reconciler": 4 * a.PostgresMs,
		"update-start": 2 * a.PostgresMs, "checkout-return": 6*a.PostgresMs + 2*a.AmazonMs,
	}
	if runs > 0 {
		waits["ipn-worker"] = 2*a.PostgresMs + a.AmazonMs*fetches/runs
	}
	const vcpu = 1769 // MB
	var calls, gbs, logs, reads float64
	for _, name := range []string{"checkout-return", "ipn-receiver", "ipn-worker", "reconciler", "update-start"} { // in one order: sums of floats
		n, f := invocations[name], m.Functions[name]
		calls += n
		gbs += n * (waits[name] + f.CPU*vcpu/a.Memory[name]) / 1000 * a.Memory[name] / 1024
		logs += n * (f.LogBytes + a.PlatformBytes)
		reads += math.Min(n, minutes/5) * a.SecretReads
	}
	requests := notifications + 3*updates
	logs += requests * a.AccessBytes
	series := float64(m.IdleSeries)
	if notifications > 0 {
		series = float64(m.BusySeries)
	}
	alarmed, secrets := a.AlarmMetrics, a.Secrets
	out := fetches * a.AmazonOut
	if form == inVPC {
		alarmed, secrets = alarmed+a.VPCAlarmMetrics, secrets+a.VPCSecrets
	} else {
		out += runs * m.DatabaseBytes
	}
	const gb = 1 << 30
	items := []billItem{
		in.sum("Lambda", use{"lambda_requests", calls}, use{"lambda_gb_seconds", gbs}),
		in.sum("HTTP API", use{"http_api_requests", requests}),
		in.sum("SQS", use{"sqs_requests", messages + 2*runs + a.Pollers*3*minutes}),
		in.sum("Custom metrics", use{"custom_metrics", series}),
		in.sum("Alarms and dashboard", use{"alarm_metrics", alarmed}, use{"dashboards", a.Dashboards}),
		in.sum("Logs", use{"log_gb", logs / gb}),
		in.sum("Secrets", use{"secrets", secrets}, use{"secret_reads", reads}),
		in.sum("Data out", use{"out_gb", out / gb}),
	}
	if form == inVPC {
		items = append(items,
			in.sum("NAT gateways", use{"nat_hours", a.NATGateways * hours}, use{"ipv4_hours", a.NATGateways * hours}, use{"nat_gb", fetches * (a.AmazonOut + a.AmazonIn) / gb}),
			in.sum("Aurora", use{"aurora_acu_hours", a.AuroraACU * hours},
				use{"aurora_gb", a.StorageGB + notifications*a.StorageKB*a.KeptMonths/1e6}, use{"aurora_io", runs * a.DatabaseIO}))
	}
	return items
}

// use is a number of units with a price.
type use struct {
	price string
	units float64
}

func (in inputs) sum(name string, uses ...use) billItem {
	item := billItem{Name: name}
	for _, u := range uses {
		p := in.prices.Of[u.price]
		item.USD += u.units * p.USD / p.Per
		item.Free += math.Min(u.units, p.Free) * p.USD / p.Per
	}
	return item
}

// volumes are the columns of the table, in notifications a month.
var volumes = []struct {
	name          string
	notifications float64
}{{"idle", 0}, {"1 k", 1e3}, {"100 k", 1e5}, {"10 M", 1e7}}

// costTable returns both bills as Markdown: dollars a month, by notifications.
func costTable(in inputs) string {
	var b strings.Builder
	for i, form := range []struct {
		form  deployment
		title string
	}{
		{byDefault, "**The default**: your own database, reached over the internet by TLS; it is not in the bill."},
		{inVPC, "**In a VPC, with an Aurora cluster**: two NAT gateways, Serverless v2 at its smallest."},
	} {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(form.title + "\n\n| $ a month |")
		for _, v := range volumes {
			b.WriteString(" " + v.name + " |")
		}
		b.WriteString("\n|---|" + strings.Repeat("--:|", len(volumes)) + "\n")
		rows := bill(in, form.form, 0)
		bills := make([][]billItem, len(volumes))
		for j, v := range volumes {
			bills[j] = bill(in, form.form, v.notifications)
		}
		for k, row := range rows {
			fmt.Fprintf(&b, "| %s |", row.Name)
			for j := range volumes {
				fmt.Fprintf(&b, " %s |", dollars(bills[j][k].USD))
			}
			b.WriteString("\n")
		}
		total := func(name string, of func(billItem) float64) {
			fmt.Fprintf(&b, "| %s |", name)
			for j := range volumes {
				sum := 0.0
				for _, item := range bills[j] {
					sum += of(item)
				}
				fmt.Fprintf(&b, " **%s** |", dollars(sum))
			}
			b.WriteString("\n")
		}
		total("**All**", func(i billItem) float64 { return i.USD })
		total("**All, where nothing else uses AWS's free allowances**", func(i billItem) float64 { return i.USD - i.Free })
	}
	fmt.Fprintf(&b, "\nPrices of %s, read on %s; measured on %s. %s\n", in.prices.Region, in.prices.Read, in.measured.On, in.prices.Note)
	return b.String()
}

// dollars shows cents below ten.
func dollars(usd float64) string {
	if usd < 9.995 {
		return fmt.Sprintf("%.2f", usd)
	}
	return fmt.Sprintf("%.0f", usd)
}

func TestTheCostTableIsInTheREADME(t *testing.T) {
	const begin, end = "<!-- costs: begin -->\n", "<!-- costs: end -->\n"
	const file = root + "functions/README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	there, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks of the table", file)
	}
	want := costTable(costInputs(t))
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

// The expected values are computed by hand, with simple prices.
func TestABillIsUsageTimesPrice(t *testing.T) {
	in := costInputs(t)
	for name := range in.prices.Of {
		in.prices.Of[name] = price{Per: 1}
	}
	in.measured.Functions = map[string]usage{"ipn-receiver": {CPU: 10}, "ipn-worker": {CPU: 20}, "reconciler": {}, "update-start": {}, "checkout-return": {}}
	in.measured.Runs, in.measured.Fetches, in.measured.Messages = 2, 2, 2
	in.assumed = assumed{Memory: map[string]float64{"ipn-receiver": 1769, "ipn-worker": 1769, "reconciler": 1769, "update-start": 1769, "checkout-return": 1769},
		AmazonMs: 100, FetchesASecond: 2, ReconcileEvery: 5, Pollers: 5, AlarmMetrics: 7, Secrets: 5, VPCSecrets: 1, AuroraACU: 0.5, NATGateways: 2}
	for _, c := range []struct {
		price string
		item  string
		n     float64
		form  deployment
		want  float64
	}{
		{"lambda_requests", "Lambda", 0, byDefault, 8760},              // the reconciler's
		{"lambda_requests", "Lambda", 1000, byDefault, 8760 + 3000},    // and a receiver's and two worker's each
		{"lambda_requests", "Lambda", 1e7, byDefault, 8760 + 15.256e6}, // the share fetches 5,256,000: so many runs are confirmations or first ones
		{"sqs_requests", "SQS", 0, byDefault, 657000},                  // five pollers, thrice a minute
		{"sqs_requests", "SQS", 1000, byDefault, 657000 + 2000 + 4000}, // sent; received and deleted
		{"alarm_metrics", "Alarms and dashboard", 0, byDefault, 7},     //
		{"secrets", "Secrets", 0, byDefault, 5},                        //
		{"secrets", "Secrets", 0, inVPC, 6},                            //
		{"aurora_acu_hours", "Aurora", 1e7, inVPC, 365},                //
		{"nat_hours", "NAT gateways", 0, inVPC, 1460},                  //
		{"lambda_gb_seconds", "Lambda", 1000, byDefault, 1769. / 1024 * (1000*0.010 + 2000*0.120)},
	} {
		if c.price == "lambda_requests" && c.n == 1e7 {
			c.want = 8760 + 1e7 + 1e7*(1+5.256e6/2e7)
		}
		in.prices.Of[c.price] = price{USD: 1, Per: 1, Free: 10}
		for _, item := range bill(in, c.form, c.n) {
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
		in.prices.Of[c.price] = price{Per: 1}
	}
}

func TestEveryPriceHasItsSource(t *testing.T) {
	in := costInputs(t)
	for name, p := range in.prices.Of {
		if !strings.HasPrefix(p.Source, "https://aws.amazon.com/") || p.Unit == "" || p.Per <= 0 || p.USD < 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if in.prices.Read == "" || in.measured.On == "" {
		t.Error("the date is missing")
	}
}

// TestTheCostsMatchTheTemplate compares the inputs of the README's cost table with
// the template.
func TestTheCostsMatchTheTemplate(t *testing.T) {
	assumed := costInputs(t).assumed
	source := load(t).Template
	count := func(p parameters) (alarms, dashboards, secrets float64, s *stack) {
		s, err := evaluate(source, p, none)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range s.of("AWS::CloudWatch::Alarm") {
			alarms += float64(len(metrics(r.Properties)))
		}
		secrets = float64(len(s.of("AWS::SecretsManager::Secret")))
		for _, name := range []string{"PrivateKeySecretArn", "DatabaseSecretArn"} {
			if p[name] != "" {
				secrets++
			}
		}
		return alarms, float64(len(s.of("AWS::CloudWatch::Dashboard"))), secrets, s
	}
	alarms, dashboards, secrets, s := count(combinations["the default"])
	moreAlarms, _, moreSecrets, _ := count(combinations["a new cluster"])
	for what, two := range map[string][2]float64{
		"metrics that alarms look at":                {assumed.AlarmMetrics, alarms},
		"more of them with a cluster":                {assumed.VPCAlarmMetrics, moreAlarms - alarms},
		"dashboards":                                 {assumed.Dashboards, dashboards},
		"secrets":                                    {assumed.Secrets, secrets},
		"more of them with a cluster of one's own":   {assumed.VPCSecrets, moreSecrets - secrets},
		"minutes between two runs of the reconciler": {assumed.ReconcileEvery, number(s.parameters["ReconcileMinutes"])},
	} {
		if two[0] != two[1] {
			t.Errorf("%s: the costs assume %v, the template has %v", what, two[0], two[1])
		}
	}
	for id, r := range s.of("AWS::Lambda::Function") {
		if memory, ok := assumed.Memory[folder(id)]; ok && memory != number(r.Properties["MemorySize"]) {
			t.Errorf("%s: the costs assume %v MB, the template has %v", id, memory, r.Properties["MemorySize"])
		}
	}
}
