package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/aws/sqs"
	"walletsync/internal/local/fault/wire"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// alarm is an alarm of the template.
type alarm struct {
	description string
	metrics     []metric
	maximum     bool    // false: the sum of all values
	divided     float64 // divide the value by this before the comparison
	threshold   float64
	compare     string
}

// metric is a metric of a function, of a queue, or of the whole stack.
type metric struct{ namespace, name, of string }

var (
	capital = regexp.MustCompile(`([a-z])([A-Z])`)
	divisor = regexp.MustCompile(`^m1 / ([0-9]+)$`)
)

// alarms reads the alarms from the transformed template. A test in package template
// compares that with template.yaml.
func alarms(t *testing.T) map[string]alarm {
	t.Helper()
	text, err := os.ReadFile("template/testdata/transformed.json")
	if err != nil {
		t.Fatal(err)
	}
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	template := whole
	if inner, ok := whole.(map[string]any)["template"]; ok {
		template = inner
	}
	field := func(v any, path ...string) any {
		for _, p := range path {
			m, _ := v.(map[string]any)
			v = m[p]
		}
		return v
	}
	defaults, _ := field(template, "Parameters").(map[string]any)
	resources, _ := field(template, "Resources").(map[string]any)
	byName := map[string]alarm{}
	for name, r := range resources {
		if field(r, "Type") != "AWS::CloudWatch::Alarm" {
			continue
		}
		p := field(r, "Properties")
		a := alarm{description: fmt.Sprint(field(p, "AlarmDescription")), divided: 1, compare: fmt.Sprint(field(p, "ComparisonOperator"))}
		switch v := field(p, "Threshold").(type) {
		case float64:
			a.threshold = v
		case string:
			a.threshold, err = strconv.ParseFloat(v, 64)
		default:
			a.threshold, err = strconv.ParseFloat(fmt.Sprint(field(defaults[fmt.Sprint(field(v, "Ref"))], "Default")), 64)
		}
		if err != nil {
			t.Fatalf("%s: its threshold: %v", name, err)
		}
		read := func(m any, statistic any) {
			read := metric{fmt.Sprint(field(m, "Namespace")), fmt.Sprint(field(m, "MetricName")), ""}
			dimensions, _ := field(m, "Dimensions").([]any)
			for _, d := range dimensions {
				if id, ok := field(d, "Value", "Ref").(string); ok {
					read.of = strings.ToLower(capital.ReplaceAllString(id, "$1-$2"))
				}
			}
			a.metrics = append(a.metrics, read)
			a.maximum = statistic == "Maximum"
		}
		several, _ := field(p, "Metrics").([]any)
		for _, m := range several {
			if by := divisor.FindStringSubmatch(fmt.Sprint(field(m, "Expression"))); by != nil {
				a.divided, _ = strconv.ParseFloat(by[1], 64)
			}
			if one := field(m, "MetricStat", "Metric"); one != nil {
				read(one, field(m, "MetricStat", "Stat"))
			}
		}
		if len(several) == 0 {
			read(p, field(p, "Statistic"))
		}
		byName[name] = a
	}
	return byName
}

// watch is a trial that evaluates the alarms as CloudWatch does.
type watch struct {
	*trial
	alarms map[string]alarm
	ahead  atomic.Int64 // offset of the twin's and the queue's clock, nanoseconds

	mu        sync.Mutex
	functions []*lambda.Function // the stack's functions, and those that startAnother started
	before    map[string]int     // Lambda's counts at the start of the provocation
	answered  int                // 5xx answers of the HTTP API to this test
	opened    int                // connections to the database that this test opened
}

// raised reports whether the events since the start of the provocation raise an
// alarm, and returns the value.
func (w *watch) raised(name string) (bool, float64) {
	a := w.alarms[name]
	var values []float64
	for _, m := range a.metrics {
		values = append(values, w.values(m)...)
	}
	total := 0.0
	for _, v := range values {
		if a.maximum {
			total = max(total, v)
		} else {
			total += v
		}
	}
	total /= a.divided
	switch a.compare {
	case "GreaterThanOrEqualToThreshold":
		return total >= a.threshold, total
	case "GreaterThanThreshold":
		return total > a.threshold, total
	case "LessThanThreshold":
		return total < a.threshold, total
	}
	w.tb.Fatalf("%s compares by %s", name, a.compare)
	return false, 0
}

func (w *watch) values(m metric) []float64 {
	switch m.namespace {
	case "walletsync":
		return w.book.measured(m.of, m.name)
	case "AWS/Lambda":
		return []float64{float64(w.counted()[m.of+" "+m.name] - w.before[m.of+" "+m.name])}
	case "AWS/ApiGateway":
		return []float64{float64(w.answered)}
	case "AWS/RDS":
		return []float64{float64(w.opened)}
	case "AWS/SQS":
		if m.name == "ApproximateNumberOfMessagesVisible" {
			return []float64{float64(w.DLQ.Stats().Visible)}
		}
		oldest := time.Duration(0)
		for _, message := range w.Queue.Messages() {
			oldest = max(oldest, w.now().Sub(message.Sent))
		}
		return []float64{oldest.Seconds()}
	}
	w.tb.Fatalf("unknown metric %+v", m)
	return nil
}

func (w *watch) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// counted returns Lambda's own metrics of all functions.
func (w *watch) counted() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := map[string]int{}
	for _, f := range w.functions {
		s := f.Stats()
		counts[f.Name()+" Errors"] += s.Errors
		counts[f.Name()+" Throttles"] += s.Throttles
		counts[f.Name()+" Invocations"] += s.Invocations
	}
	return counts
}

// startAnother starts a function from the same binary with other settings, limited
// to one invocation at a time.
func (w *watch) startAnother(name string, change func(map[string]string)) *lambda.Function {
	w.tb.Helper()
	environment := map[string]string{}
	for _, line := range w.Environment() {
		if k, v, _ := strings.Cut(line, "="); !strings.HasPrefix(k, "AWS_") || strings.HasPrefix(k, "AWS_ENDPOINT_") {
			environment[k] = v
		}
	}
	change(environment)
	f, err := lambda.Start(w.ctx(), lambda.Config{Name: name, Binary: w.Binary(name), Environment: environment, Timeout: 30 * time.Second, MaxConcurrency: 1, Output: w.book})
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(f.Close)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.functions = append(w.functions, f)
	return f
}

func unchanged(map[string]string) {}

// otherReceiver starts another receiver and returns its URL.
func (w *watch) otherReceiver(change func(map[string]string)) string {
	server := httptest.NewServer((&lambda.Gateway{Routes: map[string]*lambda.Function{"POST /ipn/{account}/{secret}": w.startAnother("ipn-receiver", change)}}).Handler())
	w.tb.Cleanup(server.Close)
	return server.URL + w.IPNURL[strings.Index(w.IPNURL, "/ipn/"):]
}

// subscribe sends the notifications to another URL.
func (w *watch) subscribe(url string) {
	w.tb.Helper()
	if err := w.Twin.Subscribe(w.TopicARN, url); err != nil {
		w.tb.Fatal(err)
	}
	w.until("the subscription to be confirmed", func() (bool, error) { return w.Twin.Subscribed(w.TopicARN), nil })
}

// post sends a body to the IPN endpoint and returns the status.
func (w *watch) post(url, body string) int {
	w.tb.Helper()
	got, err := http.Post(url, "text/plain; charset=UTF-8", strings.NewReader(body))
	if err != nil {
		w.tb.Fatal(err)
	}
	got.Body.Close()
	if got.StatusCode >= 500 {
		w.answered++
	}
	return got.StatusCode
}

// notificationOnTheWire returns a notification as SNS sent it.
func (w *watch) notificationOnTheWire() string {
	w.tb.Helper()
	messages := make(chan string, 10)
	ear := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		if q.Header.Get("x-amz-sns-message-type") == "Notification" {
			select {
			case messages <- string(body):
			default:
			}
			return
		}
		if got, err := http.Post(w.IPNURL, "text/plain", bytes.NewReader(body)); err == nil {
			got.Body.Close()
			rw.WriteHeader(got.StatusCode)
		}
	}))
	w.tb.Cleanup(ear.Close)
	w.subscribe(ear.URL)
	w.sent -= 1 // this notification is not recorded
	w.move(w.ids[:1], twin.Notify{})
	defer w.subscribe(w.IPNURL)
	select {
	case message := <-messages:
		return message
	case <-time.After(trialTimeout):
		w.tb.Fatal("no notification arrived")
		return ""
	}
}

func (w *watch) faults(f twin.Faults) {
	w.tb.Helper()
	if err := w.Twin.SetFaults(f); err != nil {
		w.tb.Fatal(err)
	}
}

// fails makes Amazon answer a read in this way, and requests a read.
func (w *watch) fails(call twin.CallFault) {
	call.Call, call.Next = twin.GetChargePermission, 1
	w.faults(twin.Faults{Calls: []twin.CallFault{call}})
	w.move(w.ids[:1], twin.Notify{})
}

// failing invokes a function with an event that it must refuse.
func (w *watch) failing(f *lambda.Function, times int) {
	for range times {
		if _, err := f.Invoke(w.ctx(), []byte(`"not an event"`)); err == nil {
			w.tb.Errorf("%s accepted an invalid event", f.Name())
		}
	}
}

// throttled invokes a function while all its instances are busy.
func (w *watch) throttled(name string, times int) {
	f := w.startAnother(name, unchanged)
	for f.Stats().Throttles < times {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _, _ = f.Invoke(w.ctx(), []byte(`{}`)) })
		}
		all.Wait()
	}
}

// provocations cause the condition of each alarm.
var provocations = map[string]func(*watch){
	"DeadLettersAlarm": func(w *watch) {
		if _, err := w.Twin.Publish(`no notification at all`, "", twin.Notify{}); err != nil {
			w.tb.Fatal(err)
		}
	},
	"QueueAgeAlarm": func(w *watch) {
		w.Queue.Hold()
		sent := w.Queue.Stats().Sent
		w.move(w.ids[:1], twin.Notify{})
		w.until("the notification to be in the queue", func() (bool, error) { return w.Queue.Stats().Sent > sent, nil })
		w.ahead.Store(int64(31 * time.Minute))
	},
	"OldestWantedAlarm": func(w *watch) {
		if _, err := w.DB.Exec(w.ctx(), `update walletsync.refreshes set wanted = wanted + 1, since = now() - interval '2 hours', not_before = now() where id = $1`, w.ids[0]); err != nil {
			w.tb.Fatal(err)
		}
		w.invoke(w.Reconciler)
	},
	"ReceiverRefusesAlarm": func(w *watch) {
		for range 20 {
			if got := w.post(w.IPNURL+"x", `{}`); got/100 != 4 {
				w.tb.Errorf("a wrong path is answered %d", got)
			}
		}
	},
	"ReceiverUnavailableAlarm": func(w *watch) {
		message := w.notificationOnTheWire()
		w.faults(twin.Faults{Calls: []twin.CallFault{{Call: twin.GetSigningCertificate, Status: 503}}})
		w.kill(w.Receiver) // it has cached the certificate
		for range 3 {
			if got := w.post(w.IPNURL, message); got != http.StatusServiceUnavailable {
				w.tb.Errorf("without a certificate the IPN endpoint answers %d", got)
			}
		}
	},
	"ApiFailsAlarm": func(w *watch) {
		message := w.notificationOnTheWire()
		w.faults(twin.Faults{Calls: []twin.CallFault{{Call: twin.GetSigningCertificate, Status: 503}}})
		w.kill(w.Receiver)
		for range 3 {
			w.post(w.IPNURL, message)
		}
	},
	"UnpinnedAlarm": func(w *watch) {
		w.subscribe(w.otherReceiver(func(environment map[string]string) {
			environment["ACCOUNTS"] = regexp.MustCompile(`"topics":\[[^\]]*\]`).ReplaceAllString(environment["ACCOUNTS"], `"topics":[]`)
		}))
		w.move(w.ids[:1], twin.Notify{})
	},
	"ForgedAlarm": func(w *watch) {
		if got := w.post(w.IPNURL, strings.Replace(w.notificationOnTheWire(), "ATTRIBUTE_CHANGE", "ATTRIBUTE_CHANGF", 1)); got != http.StatusForbidden {
			w.tb.Errorf("a forged message is answered %d", got)
		}
	},
	"SubscriptionEndedAlarm": func(w *watch) {
		if err := w.Twin.Unsubscribe(w.TopicARN); err != nil {
			w.tb.Fatal(err)
		}
	},
	"NotificationsMissingAlarm": func(w *watch) {
		if _, err := w.DB.Exec(w.ctx(), `update walletsync.notifications set processed_at = processed_at - interval '1 hour'`); err != nil {
			w.tb.Fatal(err)
		}
		w.faults(twin.Faults{IPNs: []twin.IPNFault{{Drop: true}}})
		for _, id := range w.ids[:2] {
			w.returns(w.walks(begin(w.tb, w.Stack, id, "payment_method", "")))
		}
		w.until("the reconciler to miss them", func() (bool, error) {
			w.invoke(w.Reconciler)
			raised, _ := w.raised("NotificationsMissingAlarm")
			return raised, nil
		})
	},
	"KeyRefusedAlarm":         func(w *watch) { w.fails(twin.CallFault{Status: 401, ReasonCode: "InvalidRequestSignature"}) },
	"AmazonPayThrottlesAlarm": func(w *watch) { w.failsOften("AmazonPayThrottlesAlarm", 429) },
	"AmazonPayFailsAlarm":     func(w *watch) { w.failsOften("AmazonPayFailsAlarm", 500) },
	"AmazonPayRefusesAlarm":   func(w *watch) { w.failsOften("AmazonPayRefusesAlarm", 400) },
	"WorkerFailsAlarm": func(w *watch) {
		reading := w.atCall(false)
		w.move(w.ids[:1], twin.Notify{})
		w.wait(reading)
		w.crash()
		reading.release()
	},
	"WorkerThrottledAlarm":    func(w *watch) { w.throttled("ipn-worker", 10) },
	"FunctionsFailAlarm":      func(w *watch) { w.failing(w.Start, 5) },
	"FunctionsThrottledAlarm": func(w *watch) { w.throttled("update-start", 10) },
	"PushFailsAlarm": func(w *watch) {
		off := w.wire.On(wire.Opened, nil, wire.Do(wire.Cut))
		defer off()
		push := w.startAnother("feed-push", unchanged)
		for range 3 {
			if _, err := push.Invoke(w.ctx(), []byte(`{}`)); err == nil {
				w.tb.Error("feed-push succeeded without a database")
			}
		}
	},
	"ReconcilerStoppedAlarm": func(*watch) {}, // the reconciler is never invoked
	"SweepTooSlowAlarm": func(w *watch) {
		f := w.startAnother("reconciler", func(environment map[string]string) {
			environment["RECONCILE_INTERVAL"] = "1h" // a low rate makes the sweep slow
			environment["SWEEP_DAYS"] = "0.00002"
		})
		a := w.alarms["SweepTooSlowAlarm"]
		a.threshold = 0.00002 // as SweepDays is set
		w.alarms["SweepTooSlowAlarm"] = a
		w.invoke(f)
	},
	"ConsoleFailsAlarm": func(w *watch) { w.failing(w.Console, 3) },
	"ConsoleRefusesAlarm": func(w *watch) {
		for range 30 {
			q, err := http.NewRequestWithContext(w.ctx(), http.MethodGet, w.ConsoleURL+"callback?state=made-up&code=made-up", nil)
			if err != nil {
				w.tb.Fatal(err)
			}
			r, err := http.DefaultClient.Do(q)
			if err != nil {
				w.tb.Fatal(err)
			}
			_ = r.Body.Close()
			if r.StatusCode != http.StatusForbidden {
				w.tb.Errorf("a made-up sign-in is answered %d", r.StatusCode)
			}
		}
	},
	"DatabaseUnreachableAlarm": func(w *watch) {
		off := w.wire.On(wire.Opened, nil, wire.Do(wire.Cut))
		defer off()
		f := w.startAnother("reconciler", unchanged)
		for range 3 {
			if _, err := f.Invoke(w.ctx(), []byte(`{}`)); err == nil {
				w.tb.Error("the reconciler succeeded without a database")
			}
		}
	},
	"DatabaseConnectionsAlarm": func(w *watch) {
		for range 100 {
			c, err := pgx.Connect(w.ctx(), w.DatabaseURL)
			if err != nil {
				w.tb.Fatal(err)
			}
			w.tb.Cleanup(func() { _ = c.Close(w.ctx()) })
			w.opened++
		}
	},
	"SecurityEventsAlarm": func(w *watch) {
		mine, yours := w.walks(begin(w.tb, w.Stack, w.ids[0], "both", "")), w.walks(begin(w.tb, w.Stack, w.ids[1], "both", ""))
		w.returns(yours)
		w.returns(twin.Walked{ReturnURL: strings.Replace(mine.ReturnURL, mine.CheckoutSessionID, yours.CheckoutSessionID, 1)})
	},
}

// unprovoked are alarms whose condition cannot be caused from outside.
var unprovoked = map[string]string{
	"PanicsAlarm": "it takes a fault in the code: TestAPanicFailsItsInvocationAlone has one, and the metric that it counts",
}

func (w *watch) invoke(f *lambda.Function) {
	w.tb.Helper()
	if _, err := f.Invoke(w.ctx(), []byte(`{}`)); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *watch) walks(b begun) twin.Walked {
	w.tb.Helper()
	walked, err := w.Twin.Walk(b.Checkout, twin.Choice{})
	if err != nil {
		w.tb.Fatal(err)
	}
	return walked
}

func (w *watch) returns(walked twin.Walked) {
	w.tb.Helper()
	get(w.tb, walked.ReturnURL)
}

// failsOften makes Amazon answer in this way until the alarm is raised.
func (w *watch) failsOften(name string, status int) {
	w.faults(twin.Faults{Calls: []twin.CallFault{{Call: twin.GetChargePermission, Status: status}}})
	w.until("enough such answers by Amazon", func() (bool, error) {
		w.move(w.ids[:3], twin.Notify{})
		if err := w.skipBackoff(); err != nil {
			return false, err
		}
		raised, _ := w.raised(name)
		return raised, nil
	})
}

// skipBackoff makes failed refreshes due at once.
func (w *watch) skipBackoff() error {
	_, err := w.DB.Exec(w.ctx(), `update walletsync.refreshes set not_before = now() where wanted > done; update walletsync.api_quota set closed_until = '-infinity'`)
	return err
}

// recoverAll ends the effects of a provocation.
func (w *watch) recoverAll() {
	w.tb.Helper()
	w.faults(twin.Faults{})
	w.ahead.Store(0)
	w.Queue.Release()
	w.subscribe(w.IPNURL)
	// Repeat this, because a running read may still fail and be put off for minutes.
	w.until("the failed refreshes", func() (bool, error) {
		if err := w.skipBackoff(); err != nil {
			return false, err
		}
		w.invoke(w.Reconciler)
		return w.count(`select count(*) from walletsync.refreshes where wanted > done or lease is not null`) == 0, nil
	})
	w.settle()
	purgeDeadLetters(w.tb, w.Stack)
}

// purgeDeadLetters removes the dead-letter messages.
func purgeDeadLetters(tb testing.TB, s *stack.Stack) {
	tb.Helper()
	for s.DLQ.Stats().Visible > 0 {
		messages, err := s.DLQ.Receive(tb.Context(), sqs.ReceiveInput{Max: 10})
		if err != nil {
			tb.Fatal(err)
		}
		for _, m := range messages {
			if err := s.DLQ.Delete(m.ReceiptHandle); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// TestEveryAlarmIsRaisedByItsCause causes the condition of each alarm of the
// template, one after another. The alarm's text must say what to look at or what to
// do; RUNBOOK.md has the details.
func TestEveryAlarmIsRaisedByItsCause(t *testing.T) {
	t.Parallel()
	w := &watch{alarms: alarms(t), before: map[string]int{}}
	w.trial = try(t, stack.Options{Now: w.now, Environment: map[string]string{"NOTIFICATION_GRACE_PERIOD": "1s"}})
	w.functions = []*lambda.Function{w.Receiver, w.Worker, w.Start, w.Return, w.Reconciler, w.Push, w.Migrator, w.Console}
	w.known(3)
	if len(w.alarms) < 20 {
		t.Fatalf("only %d alarms were read: check how this test reads them", len(w.alarms))
	}
	for _, name := range slices.Sorted(maps.Keys(w.alarms)) {
		t.Run(name, func(t *testing.T) {
			w.trial.in(t)
			provoke, ok := provocations[name]
			if !ok {
				if unprovoked[name] == "" {
					t.Fatal("no provocation")
				}
				return
			}
			w.book.forget()
			w.before, w.answered, w.opened = w.counted(), 0, 0
			if raised, by := w.raised(name); raised && name != "ReconcilerStoppedAlarm" {
				t.Fatalf("the alarm is raised before the provocation, by %v", by)
			}
			provoke(w)
			w.until("the alarm", func() (bool, error) {
				raised, by := w.raised(name)
				return raised, fmt.Errorf("%v of %v", by, w.alarms[name].threshold)
			})
			w.recoverAll()
		})
	}
	for name := range provocations {
		if _, ok := w.alarms[name]; !ok {
			t.Errorf("%s has a provocation but is no alarm of the template", name)
		}
	}
	for name := range unprovoked {
		if _, ok := w.alarms[name]; !ok {
			t.Errorf("%s is no alarm of the template", name)
		}
	}
}
