package template

import (
	"encoding/json"
	"os"
	"testing"
)

// TestTheCostsAssumeWhatTheTemplateHas holds the inputs of the README's cost table
// to the template.
func TestTheCostsAssumeWhatTheTemplateHas(t *testing.T) {
	b, err := os.ReadFile(root + "internal/costs/assumed.json")
	if err != nil {
		t.Fatal(err)
	}
	var assumed struct {
		Memory           map[string]float64 `json:"memoryMB"`
		ReconcileMinutes float64
		AlarmMetrics     float64
		VPCAlarmMetrics  float64 `json:"vpcAlarmMetrics"`
		Dashboards       float64
		Secrets          float64
		VPCSecrets       float64 `json:"vpcSecrets"`
	}
	if err := json.Unmarshal(b, &assumed); err != nil {
		t.Fatal(err)
	}
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
		"minutes between two runs of the reconciler": {assumed.ReconcileMinutes, number(s.parameters["ReconcileMinutes"])},
	} {
		if two[0] != two[1] {
			t.Errorf("%s: assumed are %v, the template has %v", what, two[0], two[1])
		}
	}
	for id, r := range s.of("AWS::Lambda::Function") {
		if memory, ok := assumed.Memory[folder(id)]; ok && memory != number(r.Properties["MemorySize"]) {
			t.Errorf("%s: assumed are %v MB, the template has %v", id, memory, r.Properties["MemorySize"])
		}
	}
}
