// Package costs tells what a deployment costs in a month: of what was measured
// on the local stack, what is assumed of a merchant, and AWS's public prices.
// Each of the three is a file that its reader may replace.
package costs

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
)

var (
	//go:embed measured.json
	measured []byte
	//go:embed assumed.json
	assumed []byte
	//go:embed prices.json
	prices []byte
)

// Measured is what the functions took on the local stack. Its benchmark
// (internal/e2e, BenchmarkForCosts) writes it.
type Measured struct {
	On        string              `json:"on"` // date
	How       string              `json:"how"`
	Functions map[string]Function `json:"functions"`
	// Of a notification that comes alone: worker's runs, calls of Amazon Pay, and
	// messages sent to the queue, wake-ups included.
	Runs     float64 `json:"runsPerNotification"`
	Fetches  float64 `json:"fetchesPerNotification"`
	Messages float64 `json:"messagesPerNotification"`
	// Series are the custom metrics of CloudWatch: of a deployment in which
	// nothing happens, and of one in which everything does that is not trouble.
	IdleSeries    int     `json:"idleSeries"`
	BusySeries    int     `json:"busySeries"`
	DatabaseBytes float64 `json:"databaseBytesPerRun"` // that a worker's run sends to Postgres
}

// Function is what one invocation takes.
type Function struct {
	CPU      float64 `json:"cpuMs"` // user and system time, in milliseconds
	LogBytes float64 `json:"logBytes"`
	PeakMB   float64 `json:"peakMB"`
}

// Assumed is what cannot be measured here.
type Assumed struct {
	// Memory is each function's, in MB, as template.yaml has it. It buys CPU: one
	// vCPU at 1,769 MB (Lambda Developer Guide, "Configure Lambda function
	// memory").
	Memory         map[string]float64 `json:"memoryMB"`
	AmazonMs       float64            `json:"amazonPayMs"` // one call
	AmazonOut      float64            `json:"amazonPayBytesOut"`
	AmazonIn       float64            `json:"amazonPayBytesIn"`
	PostgresMs     float64            `json:"postgresMs"`       // one round trip
	SQSMs          float64            `json:"sqsMs"`            // one call, from within AWS
	Updates        float64            `json:"updates"`          // of a notification: how many are a buyer's update through walletsync
	FetchesASecond float64            `json:"fetchesPerSecond"` // the share of Amazon Pay's quota
	// Pollers ask the queue all the time, three times a minute each (Lambda
	// Developer Guide, "Using Lambda with Amazon SQS").
	Pollers         float64 `json:"pollers"`
	ReconcileEvery  float64 `json:"reconcileMinutes"`
	PlatformBytes   float64 `json:"platformLogBytes"` // Lambda's own lines, of one invocation
	AccessBytes     float64 `json:"accessLogBytes"`   // the HTTP API's line of one request
	AlarmMetrics    float64 `json:"alarmMetrics"`     // that template.yaml's alarms look at
	Dashboards      float64 `json:"dashboards"`
	Secrets         float64 `json:"secrets"`
	NATGateways     float64 `json:"natGateways"`
	AuroraACU       float64 `json:"auroraCapacityUnits"`
	StorageGB       float64 `json:"storageGB"`              // to begin with
	StorageKB       float64 `json:"storageKBPerNotice"`     // that a notification leaves in Postgres
	KeptMonths      float64 `json:"keptMonths"`             // how many months of them lie there
	DatabaseIO      float64 `json:"databaseIOPerRun"`       // Aurora's read and write requests
	VPCAlarmMetrics float64 `json:"vpcAlarmMetrics"`        // more of them with a cluster
	VPCSecrets      float64 `json:"vpcSecrets"`             // more of them with a cluster
	SecretReads     float64 `json:"secretReadsPerFunction"` // every five minutes in which it runs
}

// Price is what a unit of something costs.
type Price struct {
	USD    float64 `json:"usd"`
	Per    float64 `json:"per"`  // units
	Unit   string  `json:"unit"` // in words
	Free   float64 `json:"free"` // units a month that AWS gives every account, for good
	Source string  `json:"source"`
}

// Prices are AWS's, by name.
type Prices struct {
	Read   string           `json:"read"` // date
	Region string           `json:"region"`
	Note   string           `json:"note"`
	Of     map[string]Price `json:"prices"`
}

// Inputs are what costs are computed of.
type Inputs struct {
	Measured Measured
	Assumed  Assumed
	Prices   Prices
}

// Load returns the inputs that came with the program, but for a file that is
// given in place of one; nil: none is.
func Load(measuredFile, assumedFile, pricesFile []byte) (Inputs, error) {
	var in Inputs
	for _, f := range []struct {
		name        string
		given, ours []byte
		into        any
	}{
		{"measured", measuredFile, measured, &in.Measured},
		{"assumed", assumedFile, assumed, &in.Assumed},
		{"prices", pricesFile, prices, &in.Prices},
	} {
		text := f.ours
		if f.given != nil {
			text = f.given
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(f.into); err != nil {
			return Inputs{}, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return in, in.check()
}

func (in Inputs) check() error {
	for _, name := range []string{"ipn-receiver", "ipn-worker", "update-start", "checkout-return", "reconciler"} {
		if _, ok := in.Measured.Functions[name]; !ok {
			return fmt.Errorf("measured: functions has no %s", name)
		}
		if in.Assumed.Memory[name] <= 0 {
			return fmt.Errorf("assumed: memoryMB has no %s", name)
		}
	}
	for _, name := range priceNames {
		if p, ok := in.Prices.Of[name]; !ok || p.Per <= 0 || p.USD < 0 {
			return fmt.Errorf("prices: %s is missing, or not a price", name)
		}
	}
	return nil
}

// Form is how walletsync is deployed.
type Form int

// The forms: with a database that the merchant has, reached over the internet;
// and in a VPC with an Aurora cluster of its own.
const (
	Default Form = iota
	VPC
)

// Item is one line of a bill.
type Item struct {
	Name string
	USD  float64 // a month, without what AWS gives for nothing
	Free float64 // what of it AWS gives for nothing
}

// The seconds, hours and minutes of a month, as AWS counts it: 730 hours.
const (
	hours   = 730
	minutes = hours * 60
	seconds = minutes * 60
)

// Bill returns what so many notifications a month cost.
func Bill(in Inputs, form Form, notifications float64) []Item {
	m, a := in.Measured, in.Assumed
	// Alone, a notification costs what was measured. When more come than the share
	// of the quota can fetch, one fetch answers for several.
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
	if form == VPC {
		alarmed, secrets = alarmed+a.VPCAlarmMetrics, secrets+a.VPCSecrets
	} else {
		out += runs * m.DatabaseBytes
	}
	const gb = 1 << 30
	items := []Item{
		in.sum("Lambda", use{"lambda_requests", calls}, use{"lambda_gb_seconds", gbs}),
		in.sum("HTTP API", use{"http_api_requests", requests}),
		in.sum("SQS", use{"sqs_requests", messages + 2*runs + a.Pollers*3*minutes}),
		in.sum("Custom metrics", use{"custom_metrics", series}),
		in.sum("Alarms and dashboard", use{"alarm_metrics", alarmed}, use{"dashboards", a.Dashboards}),
		in.sum("Logs", use{"log_gb", logs / gb}),
		in.sum("Secrets", use{"secrets", secrets}, use{"secret_reads", reads}),
		in.sum("Data out", use{"out_gb", out / gb}),
	}
	if form == VPC {
		items = append(items,
			in.sum("NAT gateways", use{"nat_hours", a.NATGateways * hours}, use{"ipv4_hours", a.NATGateways * hours}, use{"nat_gb", fetches * (a.AmazonOut + a.AmazonIn) / gb}),
			in.sum("Aurora", use{"aurora_acu_hours", a.AuroraACU * hours},
				use{"aurora_gb", a.StorageGB + notifications*a.StorageKB*a.KeptMonths/1e6}, use{"aurora_io", runs * a.DatabaseIO}))
	}
	return items
}

// use is so many units of what has a price.
type use struct {
	price string
	units float64
}

// priceNames are the prices that a bill needs.
var priceNames = []string{
	"lambda_requests", "lambda_gb_seconds", "http_api_requests", "sqs_requests", "custom_metrics", "alarm_metrics", "dashboards", "log_gb",
	"secrets", "secret_reads", "out_gb", "nat_hours", "nat_gb", "ipv4_hours", "aurora_acu_hours", "aurora_gb", "aurora_io",
}

func (in Inputs) sum(name string, all ...use) Item {
	item := Item{Name: name}
	for _, u := range all {
		p := in.Prices.Of[u.price]
		item.USD += u.units * p.USD / p.Per
		item.Free += math.Min(u.units, p.Free) * p.USD / p.Per
	}
	return item
}
