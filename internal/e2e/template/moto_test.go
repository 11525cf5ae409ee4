package template

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/local/aws/mototest"
)

// beyondMoto are the types that moto's CloudFormation (5.2) does not create, and
// the tests that cover them instead.
var beyondMoto = map[string]string{
	"AWS::ApiGatewayV2::Api":         "the tests here, and cfn-lint",
	"AWS::ApiGatewayV2::Integration": "the tests here, and cfn-lint",
	"AWS::ApiGatewayV2::Route":       "the tests here, and cfn-lint",
	"AWS::ApiGatewayV2::Stage":       "the tests here, and cfn-lint",
	"AWS::CloudWatch::Alarm":         "the tests here, and cfn-lint",
	"AWS::Lambda::Alias":             "cfn-lint; nothing invokes it",
	"AWS::Lambda::EventInvokeConfig": "the tests here, and cfn-lint",
	"AWS::SQS::QueuePolicy":          "the tests here, and cfn-lint",
	"AWS::SNS::Subscription":         "the tests here, and cfn-lint",
	"AWS::SecretsManager::Secret":    "the tests here, and cfn-lint",
	"Custom::Migration":              "package awslambda's tests: moto would start the function in a container",
}

// TestMotoCreatesTheStack creates the default stack, with a console and feed-push,
// in moto's CloudFormation without the types in beyondMoto. It checks the result
// through the services' own APIs and deletes the stack.
func TestMotoCreatesTheStack(t *testing.T) {
	t.Parallel()
	known := func(kind string) bool { return beyondMoto[kind] == "" }
	s, err := evaluate(load(t).Template, with(hosted, console, toTopic, topics, mailed), known)
	if err != nil {
		t.Fatal(err)
	}
	resources, missing := map[string]resource{}, map[string]bool{}
	for id, r := range s.Resources {
		if !known(r.Type) {
			missing[r.Type] = true
			continue
		}
		if r.Type == "AWS::Lambda::Function" {
			r.Properties["Code"] = map[string]any{"ZipFile": "nothing"} // there is no bucket
		}
		if r.Type == "AWS::Lambda::EventSourceMapping" { // CloudFormation reads numbers from text
			r.Properties["BatchSize"] = number(r.Properties["BatchSize"])
		}
		r.DependsOn = nil // on the migration
		resources[id] = r
	}
	if got, want := slices.Sorted(maps.Keys(missing)), slices.Sorted(maps.Keys(beyondMoto)); !slices.Equal(got, want) {
		t.Errorf("left out are %v, want %v", got, want)
	}
	body, err := json.Marshal(map[string]any{"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
	if err != nil {
		t.Fatal(err)
	}
	m := moto{t, mototest.Start(t)}
	m.ask("cloudformation", "CreateStack", url.Values{"StackName": {"shop"}, "TemplateBody": {string(body)}, "Capabilities.member.1": {"CAPABILITY_IAM"}}, nil)
	if got := m.stacks(); got["shop"] != "CREATE_COMPLETE" {
		t.Fatalf("the stack is %q", got["shop"])
	}

	made := map[string]string{} // physical ids
	var described struct {
		Resources []struct{ LogicalResourceId, PhysicalResourceId string } `xml:"DescribeStackResourcesResult>StackResources>member"`
	}
	m.ask("cloudformation", "DescribeStackResources", url.Values{"StackName": {"shop"}}, &described)
	for _, r := range described.Resources {
		made[r.LogicalResourceId] = r.PhysicalResourceId
	}
	if d := cmp.Diff(slices.Sorted(maps.Keys(resources)), slices.Sorted(maps.Keys(made))); d != "" {
		t.Errorf("the created resources differ from the template:\n%s", d)
	}

	var attributes struct {
		All []struct{ Name, Value string } `xml:"GetQueueAttributesResult>Attribute"`
	}
	m.ask("sqs", "GetQueueAttributes", url.Values{"QueueUrl": {made["Queue"]}, "AttributeName.1": {"All"}}, &attributes)
	of := map[string]string{}
	for _, a := range attributes.All {
		of[a.Name] = a.Value
	}
	if of["VisibilityTimeout"] != "180" || of["MessageRetentionPeriod"] != "1209600" || !strings.Contains(of["RedrivePolicy"], made["DeadLetterQueue"][strings.LastIndex(made["DeadLetterQueue"], "/")+1:]) {
		t.Errorf("the queue has %v", of)
	}

	var functions struct {
		Functions []struct {
			FunctionName, Role, Runtime string
			Timeout                     int
			Environment                 struct{ Variables map[string]string }
		}
	}
	m.get("lambda", "/2015-03-31/functions/", &functions)
	names := []string{}
	for _, f := range functions.Functions {
		names = append(names, f.FunctionName)
		if v := f.Environment.Variables; f.FunctionName == "shop-ipn-worker" && (v["QUEUE_URL"] != made["Queue"] || v["DEAD_LETTER_QUEUE_URL"] != made["DeadLetterQueue"] ||
			!strings.HasSuffix(f.Role, made["IpnWorkerRole"]) || f.Timeout != 30 || f.Runtime != "provided.al2023") {
			t.Errorf("the worker is %+v; the stack has %v", f, made)
		}
	}
	slices.Sort(names)
	want := []string{"shop-checkout-return", "shop-console", "shop-feed-push", "shop-ipn-receiver", "shop-ipn-worker", "shop-migrator", "shop-reconciler", "shop-update-start"}
	if !slices.Equal(names, want) {
		t.Errorf("the functions are %v", names)
	}

	var mappings struct {
		EventSourceMappings []struct {
			BatchSize                   int
			EventSourceArn, FunctionArn string
		}
	}
	m.get("lambda", "/2015-03-31/event-source-mappings/", &mappings)
	if len(mappings.EventSourceMappings) != 1 || mappings.EventSourceMappings[0].BatchSize != 10 || !strings.HasSuffix(mappings.EventSourceMappings[0].FunctionArn, ":shop-ipn-worker") {
		t.Errorf("the event sources are %+v", mappings)
	}

	m.ask("cloudformation", "DeleteStack", url.Values{"StackName": {"shop"}}, nil)
	if got := m.stacks(); got["shop"] != "" && got["shop"] != "DELETE_COMPLETE" {
		t.Errorf("after its deletion the stack is %q", got["shop"])
	}
	m.get("lambda", "/2015-03-31/functions/", &functions)
	if len(functions.Functions) > 0 {
		t.Errorf("functions outlive the stack: %+v", functions.Functions)
	}
}

// moto is a running moto server.
type moto struct {
	t   *testing.T
	url string
}

// stacks returns the status of each stack.
func (m moto) stacks() map[string]string {
	var list struct {
		Stacks []struct{ StackName, StackStatus, StackStatusReason string } `xml:"ListStacksResult>StackSummaries>member"`
	}
	m.ask("cloudformation", "ListStacks", url.Values{}, &list)
	out := map[string]string{}
	for _, s := range list.Stacks {
		out[s.StackName] = s.StackStatus
	}
	return out
}

// ask makes a call with AWS's query protocol.
func (m moto) ask(service, action string, form url.Values, into any) {
	m.t.Helper()
	form.Set("Action", action)
	b := m.send(service, http.MethodPost, "/", form.Encode())
	if into == nil {
		return
	}
	if err := xml.Unmarshal(b, into); err != nil {
		m.t.Fatalf("%s: %v\n%s", action, err, b)
	}
}

// get reads JSON.
func (m moto) get(service, path string, into any) {
	m.t.Helper()
	b := m.send(service, http.MethodGet, path, "")
	if err := json.Unmarshal(b, into); err != nil {
		m.t.Fatalf("%s: %v\n%s", path, err, b)
	}
}

func (m moto) send(service, method, path, body string) []byte {
	m.t.Helper()
	q, err := http.NewRequestWithContext(m.t.Context(), method, m.url+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	if body != "" {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	// moto takes the service and the region from it and verifies nothing.
	q.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=test/20261124/%s/%s/aws4_request, SignedHeaders=host, Signature=0", region, service))
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		m.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		m.t.Fatalf("%s %s: %s, %v\n%s", service, path, r.Status, err, b)
	}
	return b
}
