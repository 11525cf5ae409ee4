package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// metric matches the metrics of package telemetry and their comments.
var metric = regexp.MustCompile(`(?m)^\s+([A-Z][A-Za-z0-9]*)\s+Metric = "([A-Za-z0-9]+)"\s+// (.*)$`)

// published are the metrics of AWS services that the template may use (CloudWatch
// User Guide, "AWS services that publish CloudWatch metrics").
var published = map[string][]string{
	"AWS/Lambda":     {"Errors", "Throttles", "Invocations", "Duration"},
	"AWS/SQS":        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
	"AWS/ApiGateway": {"5xx"},
	"AWS/RDS":        {"DatabaseConnections"},
}

// required maps the conditions that need an alarm to the alarm.
var required = map[string]string{
	"the dead-letter queue is not empty":      "DeadLettersAlarm",
	"the oldest refresh request is old":       "OldestWantedAlarm",
	"the receiver answers 4xx":                "ReceiverRefusesAlarm",
	"the receiver answers 5xx":                "ReceiverUnavailableAlarm",
	"the console refuses":                     "ConsoleRefusesAlarm",
	"the topic is not pinned":                 "UnpinnedAlarm",
	"a signature is refused":                  "ForgedAlarm",
	"Amazon Pay throttles":                    "AmazonPayThrottlesAlarm",
	"Amazon Pay fails":                        "AmazonPayFailsAlarm",
	"Amazon Pay refuses":                      "AmazonPayRefusesAlarm",
	"the key is refused":                      "KeyRefusedAlarm",
	"the worker fails":                        "WorkerFailsAlarm",
	"the worker is throttled":                 "WorkerThrottledAlarm",
	"notifications are missing":               "NotificationsMissingAlarm",
	"connections to Postgres fail":            "DatabaseUnreachableAlarm",
	"the cluster has too many connections":    "DatabaseConnectionsAlarm",
	"messages wait although nothing is wrong": "QueueAgeAlarm",
}

// seenOtherwise are metrics that are marked as alarms but that no alarm reads.
var seenOtherwise = map[string]string{
	"DeadLettered": "the alarm reads the dead-letter queue itself, which other messages reach, too",
}

// leftOut are functions that link code which counts a metric but that the metric's
// alarm does not include.
var leftOut = map[string]string{
	"feed-push":                   "it is optional and has its own alarm for errors",
	"console":                     "likewise",
	"migrator":                    "its failure fails the deploy",
	"update-start SecurityEvents": "it completes no Checkout Session",
	"ipn-worker SecurityEvents":   "it completes no Checkout Session",
}

// measured is a metric with its dimensions.
type measured struct {
	namespace, name string
	dimensions      map[string]string
}

// metrics returns the metrics that an alarm reads.
func metrics(alarm map[string]any) (read []measured) {
	add := func(m any) {
		d := map[string]string{}
		for _, one := range at(m, "Dimensions").([]any) {
			d[fmt.Sprint(at(one, "Name"))] = fmt.Sprint(at(one, "Value"))
		}
		read = append(read, measured{fmt.Sprint(at(m, "Namespace")), fmt.Sprint(at(m, "MetricName")), d})
	}
	several, _ := alarm["Metrics"].([]any)
	for _, m := range several {
		if one := at(m, "MetricStat", "Metric"); one != nil {
			add(one)
		}
	}
	if len(several) == 0 {
		add(alarm)
	}
	return read
}

func TestEveryAlarmReadsAnExistingMetricAndSaysWhatToDo(t *testing.T) {
	packages, mains, constant, alarming := linked(t), lambdas(t), map[string]string{}, map[string]bool{}
	for _, m := range metric.FindAllStringSubmatch(source(t, root+"internal/telemetry"), -1) {
		constant[m[2]] = m[1]
		alarming[m[2]] = strings.HasPrefix(m[3], "alarm")
	}
	if len(constant) < 30 {
		t.Fatalf("only %d metrics were found in internal/telemetry: check that the pattern metric still matches", len(constant))
	}
	counts := func(function, name string) bool { // whether a function links code that counts the metric
		use := regexp.MustCompile(`telemetry\.` + constant[name] + `\b`)
		for path, text := range packages[function] {
			if path == "internal/ipn" && !strings.Contains(mains[function], `"walletsync/internal/ipn"`) {
				continue // awslambda links it
			}
			if path != "internal/telemetry" && use.MatchString(text) {
				return true
			}
		}
		return false
	}
	each(t, func(t *testing.T, s *stack, p parameters) {
		byName := map[string]string{}
		for id := range s.of("AWS::Lambda::Function") {
			byName[s.ref(id).(string)] = folder(id)
		}
		check := func(who string, m measured) (function string) {
			switch names, ofAWS := published[m.namespace]; {
			case m.namespace == "walletsync":
				function = byName[m.dimensions["function"]]
				if len(m.dimensions) != 1 || function == "" {
					t.Errorf("%s reads %s with the dimensions %v", who, m.name, m.dimensions)
				} else if constant[m.name] == "" || !counts(function, m.name) {
					t.Errorf("%s reads %s of %s, which does not write it", who, m.name, function)
				}
			case !ofAWS || !slices.Contains(names, m.name):
				t.Errorf("%s reads %s %s, which does not exist", who, m.namespace, m.name)
			case m.namespace == "AWS/Lambda" && byName[m.dimensions["FunctionName"]] == "":
				t.Errorf("%s reads a function outside the stack: %v", who, m.dimensions)
			}
			return function
		}
		read := map[string][]string{}
		for id, r := range s.of("AWS::CloudWatch::Alarm") {
			for _, m := range metrics(r.Properties) {
				if f := check(id, m); f != "" {
					read[m.name] = append(read[m.name], f)
				}
			}
			d := fmt.Sprint(r.Properties["AlarmDescription"])
			if first, rest, two := strings.Cut(d, ". "); !two || len(first) < 15 || len(rest) < 25 || len(d) > 1024 {
				t.Errorf("%s does not say what happened and what to do: %q", id, d)
			}
			notifies := r.Properties["AlarmActions"] != nil && r.Properties["OKActions"] != nil
			if notifies != (p["AlarmEmail"] != "" || p["AlarmTopicArn"] != "") {
				t.Errorf("%s has the actions %v", id, r.Properties["AlarmActions"])
			}
			if r.Properties["TreatMissingData"] != "notBreaching" && id != "ReconcilerStoppedAlarm" {
				t.Errorf("%s treats missing data as %v", id, r.Properties["TreatMissingData"])
			}
		}
		for name, functions := range read {
			if len(functions) == 1 {
				continue // a metric of one function
			}
			for function := range mains {
				if counts(function, name) && !slices.Contains(functions, function) && leftOut[function]+leftOut[function+" "+name] == "" {
					t.Errorf("%s counts %s, which its alarm does not read", function, name)
				}
			}
		}
		for name, yes := range alarming {
			if name == "ConsoleRefused" && p["OidcIssuer"] == "" {
				continue // written by the console only
			}
			if yes && read[name] == nil && seenOtherwise[name] == "" {
				t.Errorf("%s is marked as an alarm in internal/telemetry, but no alarm reads it", name)
			}
		}
		for what, id := range required {
			needless := id == "DatabaseConnectionsAlarm" && p["DatabaseSecretArn"] != "" || id == "ConsoleRefusesAlarm" && p["OidcIssuer"] == ""
			if _, ok := s.Resources[id]; !ok && !needless {
				t.Errorf("no alarm when %s", what)
			}
		}

		// The dashboard must show existing metrics, too.
		boards := s.of("AWS::CloudWatch::Dashboard")
		if len(boards) != 0 != (p["Dashboard"] != "false") {
			t.Fatalf("there are %d dashboards", len(boards))
		}
		for id, r := range boards {
			var body struct {
				Widgets []struct {
					Properties struct {
						Title, Region string
						Metrics       [][]any
					}
				}
			}
			if err := json.Unmarshal([]byte(r.Properties["DashboardBody"].(string)), &body); err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			seen := map[string]bool{}
			for _, w := range body.Widgets {
				for _, m := range w.Properties.Metrics {
					if expression, ok := at(m[0], "expression").(string); ok {
						for _, f := range regexp.MustCompile(`\{walletsync,function,reason\} MetricName="([A-Za-z]+)" function="([a-z-]+)"`).FindAllStringSubmatch(expression, -1) {
							check(w.Properties.Title, measured{"walletsync", f[1], map[string]string{"function": f[2]}})
							seen[f[1]] = true
						}
						continue
					}
					check(w.Properties.Title, measured{m[0].(string), m[1].(string), map[string]string{m[2].(string): m[3].(string)}})
					seen[m[1].(string)] = true
				}
			}
			for _, name := range []string{"Lag", "OldestWanted", "Results", "Changes", "APILatency", "Duration"} {
				if !seen[name] {
					t.Errorf("the dashboard shows %[2]v, but not %[1]s", name, slices.Sorted(maps.Keys(seen)))
				}
			}
		}
	})
}
