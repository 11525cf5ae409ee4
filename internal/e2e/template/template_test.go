package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOnlyNamedSourcesInvokeFunctions(t *testing.T) {
	each(t, func(t *testing.T, s *stack, _ parameters) {
		if urls := s.of("AWS::Lambda::Url"); len(urls) > 0 {
			t.Errorf("function URLs are public: %v", slices.Sorted(maps.Keys(urls)))
		}
		for id, r := range s.of("AWS::Lambda::Permission") {
			principal, source := r.Properties["Principal"], fmt.Sprint(r.Properties["SourceArn"])
			switch principal {
			case "apigateway.amazonaws.com":
				// Any stage, as there is one; then the method and the path.
				path, ours := strings.CutPrefix(source, "arn:aws:execute-api:"+region+":"+account+":Api/*/")
				if method, path, _ := strings.Cut(path, "/"); !ours || path == "" || strings.HasPrefix(path, "*") || method == "" {
					t.Errorf("%s allows %s", id, source)
				}
			case "events.amazonaws.com", "sns.amazonaws.com":
				if !strings.HasPrefix(source, "arn:aws:") || strings.Contains(source, "*") {
					t.Errorf("%s allows %s", id, source)
				}
			default:
				t.Errorf("%s allows %v", id, principal)
			}
		}
	})
}

func TestQueuesEncryptKeepMessagesLongAndRequireTLS(t *testing.T) {
	each(t, func(t *testing.T, s *stack, p parameters) {
		closed := map[string]bool{}
		for _, r := range s.of("AWS::SQS::QueuePolicy") {
			for _, q := range list(r.Properties["Queues"]) {
				for _, st := range r.Properties["PolicyDocument"].(map[string]any)["Statement"].([]any) {
					resources := list(at(st, "Resource"))
					if at(st, "Effect") == "Deny" && at(st, "Condition", "Bool", "aws:SecureTransport") == "false" && at(st, "Action") == "sqs:*" {
						closed[q] = slices.Contains(resources, "arn:aws:sqs:"+region+":"+account+":"+q[strings.LastIndex(q, "/")+1:])
					}
				}
			}
		}
		for id, r := range s.of("AWS::SQS::Queue") {
			own := p["KmsKeyArn"] != ""
			if own && r.Properties["KmsMasterKeyId"] != kmsKey || !own && r.Properties["SqsManagedSseEnabled"] != true {
				t.Errorf("%s is not encrypted: %v", id, r.Properties)
			}
			if !closed[s.ref(id).(string)] {
				t.Errorf("%s accepts messages without TLS", id)
			}
			if number(r.Properties["MessageRetentionPeriod"]) < 4*24*60*60 {
				t.Errorf("%s keeps messages for %v s", id, r.Properties["MessageRetentionPeriod"])
			}
		}
		for _, r := range s.of("AWS::SQS::QueuePolicy") {
			for _, st := range r.Properties["PolicyDocument"].(map[string]any)["Statement"].([]any) {
				if at(st, "Effect") != "Allow" {
					continue
				}
				if at(st, "Principal") == "*" || at(st, "Condition") == nil || at(st, "Action") != "sqs:SendMessage" {
					t.Errorf("%v allows more than one named sender", st)
				}
			}
		}
	})
}

// TestEachQueueHasItsOwnPolicy: SQS refuses a statement that has several resources
// or another queue than the one it is set on ("Invalid value for the
// parameter Policy").
func TestEachQueueHasItsOwnPolicy(t *testing.T) {
	each(t, func(t *testing.T, s *stack, _ parameters) {
		policies := map[string]string{}
		for id, r := range s.of("AWS::SQS::QueuePolicy") {
			queues := list(r.Properties["Queues"])
			if len(queues) != 1 {
				t.Errorf("%s is for %d queues", id, len(queues))
				continue
			}
			if other := policies[queues[0]]; other != "" {
				t.Errorf("%s replaces %s", id, other)
			}
			policies[queues[0]] = id
			arn := "arn:aws:sqs:" + region + ":" + account + ":" + queues[0][strings.LastIndex(queues[0], "/")+1:]
			for _, st := range at(r.Properties["PolicyDocument"], "Statement").([]any) {
				if resource, one := at(st, "Resource").(string); !one || resource != arn {
					t.Errorf("%s: %v has the resources %v, want only %s", id, at(st, "Sid"), at(st, "Resource"), arn)
				}
				if n := len(list(at(st, "Action"))); n > 7 {
					t.Errorf("%s: %v has %d actions; SQS allows 7", id, at(st, "Sid"), n)
				}
			}
		}
		for id := range s.of("AWS::SQS::Queue") {
			if policies[s.ref(id).(string)] == "" {
				t.Errorf("%s has no policy", id)
			}
		}
	})
}

// TestTheKeyIsUsedOnlyThroughServices: a role may decrypt through Secrets Manager,
// Lambda and SQS, but not by calling KMS itself.
func TestTheKeyIsUsedOnlyThroughServices(t *testing.T) {
	each(t, func(t *testing.T, s *stack, p parameters) {
		found := 0
		check := func(id string, document any) {
			for _, st := range at(document, "Statement").([]any) {
				for _, action := range list(at(st, "Action")) {
					if !strings.HasPrefix(action, "kms:") {
						continue
					}
					found++
					services := list(at(st, "Condition", "StringEquals", "kms:ViaService"))
					for _, service := range services {
						if !strings.HasSuffix(service, "."+region+".amazonaws.com") {
							t.Errorf("%s: %v is for %q", id, at(st, "Sid"), service)
						}
					}
					if len(services) == 0 {
						t.Errorf("%s: %v allows %s without a service", id, at(st, "Sid"), action)
					}
				}
			}
		}
		for id, r := range s.of("AWS::IAM::ManagedPolicy") {
			check(id, r.Properties["PolicyDocument"])
		}
		for id, r := range s.of("AWS::IAM::Role") {
			for _, policy := range r.Properties["Policies"].([]any) {
				check(id, at(policy, "PolicyDocument"))
			}
		}
		if (found > 0) != (p["KmsKeyArn"] != "") {
			t.Errorf("%d permissions of KMS", found)
		}
	})
}

func TestEveryAsynchronousPathHasADeadLetterQueue(t *testing.T) {
	each(t, func(t *testing.T, s *stack, _ parameters) {
		queues := map[string]bool{}
		for id := range s.of("AWS::SQS::Queue") {
			queues[s.attribute(id, "Arn").(string)] = true
		}
		caught := map[string]bool{} // functions whose failed asynchronous events are kept
		for id, r := range s.of("AWS::Lambda::EventInvokeConfig") {
			if r.Properties["Qualifier"] != "$LATEST" || !queues[fmt.Sprint(at(r.Properties, "DestinationConfig", "OnFailure", "Destination"))] {
				t.Errorf("%s has no destination for failed events: %v", id, r.Properties)
			}
			caught[r.Properties["FunctionName"].(string)] = true
		}
		function := map[string]string{} // name by ARN
		for id := range s.of("AWS::Lambda::Function") {
			function[s.attribute(id, "Arn").(string)] = s.ref(id).(string)
		}
		for id, r := range s.of("AWS::Events::Rule") {
			for _, target := range r.Properties["Targets"].([]any) {
				if !queues[fmt.Sprint(at(target, "DeadLetterConfig", "Arn"))] {
					t.Errorf("%s has no dead-letter queue", id)
				}
				if !caught[function[at(target, "Arn").(string)]] {
					t.Errorf("failed invocations by %s are not kept", id)
				}
			}
		}
		for id, r := range s.of("AWS::SNS::Subscription") {
			if !queues[fmt.Sprint(at(r.Properties, "RedrivePolicy", "deadLetterTargetArn"))] {
				t.Errorf("%s has no dead-letter queue", id)
			}
			if to := r.Properties["Endpoint"].(string); r.Properties["Protocol"] == "lambda" && !caught[function[to]] {
				t.Errorf("failed deliveries by %s are not kept", id)
			}
		}
		for id, r := range s.of("Custom::Migration") {
			if !caught[function[r.Properties["ServiceToken"].(string)]] {
				t.Errorf("failed invocations by %s are not kept", id)
			}
		}
		for id, r := range s.of("AWS::Lambda::EventSourceMapping") {
			for q, queue := range s.of("AWS::SQS::Queue") {
				if s.attribute(q, "Arn") == r.Properties["EventSourceArn"] && !queues[fmt.Sprint(at(queue.Properties, "RedrivePolicy", "deadLetterTargetArn"))] {
					t.Errorf("%s reads %s, which has no dead-letter queue", id, q)
				}
			}
			if !slices.Contains(list(r.Properties["FunctionResponseTypes"]), "ReportBatchItemFailures") {
				t.Errorf("%s fails whole batches", id)
			}
		}
	})
}

func TestConcurrencyIsLimited(t *testing.T) {
	each(t, func(t *testing.T, s *stack, p parameters) {
		bySource := map[any]bool{}
		for _, r := range s.of("AWS::Lambda::EventSourceMapping") {
			if number(at(r.Properties, "ScalingConfig", "MaximumConcurrency")) >= 2 {
				bySource[r.Properties["FunctionName"]] = true
			}
		}
		total := 0.0
		for id, r := range s.of("AWS::Lambda::Function") {
			reserved := number(r.Properties["ReservedConcurrentExecutions"])
			if p["ReserveConcurrency"] != "true" { // a new AWS account has 10 or 50 in all, so it cannot reserve any
				if reserved >= 0 {
					t.Errorf("%s reserves %v", id, reserved)
				}
				continue
			}
			if reserved < 1 && !bySource[s.ref(id)] {
				t.Errorf("%s has neither a reserved nor a maximum concurrency", id)
			}
			total += max(0, reserved)
		}
		description := s.template.Parameters["ReserveConcurrency"].Description
		if p["FeedBusArn"] == "" || p["OidcIssuer"] == "" || total == 0 {
			return
		}
		// Lambda keeps 100 unreserved (AWS Lambda Developer Guide, "Configuring reserved concurrency").
		for _, want := range []string{fmt.Sprintf("%v in all", total), fmt.Sprintf("quota must be %v or more", total+100)} {
			if !strings.Contains(description, want) {
				t.Errorf("the functions reserve %v, but the description %q lacks %q", total, description, want)
			}
		}
	})
}

func TestLogsExpire(t *testing.T) {
	each(t, func(t *testing.T, s *stack, p parameters) {
		for id, r := range s.of("AWS::Logs::LogGroup") {
			if number(r.Properties["RetentionInDays"]) < 1 {
				t.Errorf("%s never expires", id)
			}
			if r.Properties["KmsKeyId"] != nil != (p["KmsKeyArn"] != "") {
				t.Errorf("%s is encrypted with %v", id, r.Properties["KmsKeyId"])
			}
		}
		for id, r := range s.of("AWS::Lambda::Function") {
			if at(r.Properties, "LoggingConfig", "LogGroup") != s.ref("Logs") {
				t.Errorf("%s logs to the default log group, which never expires", id)
			}
		}
	})
}

// loggable are the variables that the access log may contain: not the path, which
// holds the IPN path secret, not the query string, which holds links and states, and
// no personal data.
var loggable = []string{"requestTime", "requestId", "routeKey", "status", "responseLength", "responseLatency", "integrationLatency", "integrationStatus", "error.responseType"}

func TestAccessLogHasNoPathQueryOrPersonalData(t *testing.T) {
	each(t, func(t *testing.T, s *stack, _ parameters) {
		format := at(s.Resources["Stage"].Properties, "AccessLogSettings", "Format").(string)
		variables := regexp.MustCompile(`\$context\.([A-Za-z.]+)`).FindAllStringSubmatch(format, -1)
		if len(variables) < 5 {
			t.Errorf("it logs too little: %s", format)
		}
		for _, v := range variables {
			if !slices.Contains(loggable, v[1]) {
				t.Errorf("it logs %s", v[1])
			}
		}
		var line map[string]string
		if err := json.Unmarshal([]byte(format), &line); err != nil {
			t.Errorf("it is not JSON: %v", err)
		}
	})
}

func TestVariablesAndOutputsHaveNoSecrets(t *testing.T) {
	each(t, func(t *testing.T, s *stack, _ parameters) {
		for id, r := range s.of("AWS::Lambda::Function") {
			for name, v := range at(r.Properties, "Environment", "Variables").(map[string]any) {
				text := fmt.Sprint(v)
				if strings.HasSuffix(name, "_SECRET_ARN") && !strings.HasPrefix(text, "arn:aws:secretsmanager:") {
					t.Errorf("%s of %s is %q, not the ARN of a secret", name, id, text)
				}
				if strings.Contains(text, "{{resolve:") || strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "postgres://") {
					t.Errorf("%s of %s holds a secret", name, id)
				}
			}
		}
		for name, v := range s.Outputs {
			if strings.Contains(fmt.Sprint(v), "{{resolve:") {
				t.Errorf("the output %s holds a secret", name)
			}
		}
		for id, r := range s.of("AWS::SecretsManager::Secret") {
			text, written := r.Properties["SecretString"].(string)
			if written && !strings.Contains(text, ":{{resolve:secretsmanager:") || !written && r.Properties["GenerateSecretString"] == nil {
				t.Errorf("the value of %s is in the template: %v", id, r.Properties)
			}
		}
	})
	for name := range load(t).Template.Parameters {
		if regexp.MustCompile(`(?i)password|privatekey$|secret$|token`).MatchString(name) {
			t.Errorf("the parameter %s holds a secret", name)
		}
	}
}

// open are the routes that only the function authenticates, and how it does so.
var open = map[string]string{
	"POST /ipn/{account}/{secret}": "the path's secret, and the signature of SNS",
	"POST /update-sessions":        "the bearer key; by IAM with UpdateAuth=iam",
	"POST /charge-permissions":     "as POST /update-sessions",
	"GET /update":                  "the sealed link",
	"GET /return":                  "the sealed state token",
	"ANY /console":                 "requests without a session are redirected to the issuer",
	"ANY /console/{proxy+}":        "requests without a session are redirected to the issuer",
}

func TestRoutesAreThrottledAndAuthenticated(t *testing.T) {
	each(t, func(t *testing.T, s *stack, p parameters) {
		stage := s.Resources["Stage"].Properties
		settings := stage["RouteSettings"].(map[string]any)
		limits := func(of string, v any) {
			if number(at(v, "ThrottlingRateLimit")) <= 0 || number(at(v, "ThrottlingBurstLimit")) < number(at(v, "ThrottlingRateLimit")) {
				t.Errorf("%s is not throttled: %v", of, v)
			}
		}
		limits("the stage", stage["DefaultRouteSettings"])
		waits := list(s.Resources["Stage"].DependsOn)
		for id, r := range s.of("AWS::ApiGatewayV2::Route") {
			key := r.Properties["RouteKey"].(string)
			if own, ok := settings[key]; ok {
				limits(key, own)
				delete(settings, key)
				if !slices.Contains(waits, id) {
					t.Errorf("the stage has settings for %s but does not depend on %s", key, id)
				}
			}
			want := "NONE"
			if (key == "POST /update-sessions" || key == "POST /charge-permissions") && p["UpdateAuth"] == "iam" {
				want = "AWS_IAM"
			}
			if r.Properties["AuthorizationType"] != want || open[key] == "" {
				t.Errorf("%s has the authorization %v", key, r.Properties["AuthorizationType"])
			}
		}
		if len(settings) > 0 {
			t.Errorf("settings of missing routes: %v", settings)
		}
		if at(s.environment("UpdateStart"), "AUTH") == "iam" != (p["UpdateAuth"] == "iam") {
			t.Error("update-start and its route do not agree on IAM")
		}
	})
}

// environment returns a function's variables.
func (s *stack) environment(id string) map[string]any {
	v, _ := at(s.Resources[id].Properties, "Environment", "Variables").(map[string]any)
	return v
}

// TestTimeoutsAreConsistent checks the times of design.md §3 and §8: each time-out is
// longer than the work within it.
func TestTimeoutsAreConsistent(t *testing.T) {
	each(t, func(t *testing.T, s *stack, _ parameters) {
		queue := s.Resources["Queue"].Properties
		visibility := time.Duration(number(queue["VisibilityTimeout"])) * time.Second
		receives := number(at(queue, "RedrivePolicy", "maxReceiveCount"))
		for _, id := range []string{"IpnWorker", "UpdateStart", "CheckoutReturn", "Reconciler", "Console"} {
			if _, ok := s.Resources[id]; !ok {
				continue
			}
			timeout := time.Duration(number(s.Resources[id].Properties["Timeout"])) * time.Second
			duration := func(name string) time.Duration {
				d, err := time.ParseDuration(fmt.Sprint(s.environment(id)[name]))
				if err != nil {
					t.Errorf("%s of %s: %v", name, id, err)
				}
				return d
			}
			if call := duration("API_TIMEOUT"); call >= timeout {
				t.Errorf("%s ends after %v, its calls after %v", id, timeout, call)
			}
			if id != "Reconciler" {
				if lease := duration("LEASE"); lease <= timeout || lease >= visibility {
					t.Errorf("%s ends after %v, its lease after %v, the visibility after %v", id, timeout, lease, visibility)
				}
			}
			if id == "CheckoutReturn" && duration("RETURN_TIMEOUT") >= timeout/2 {
				t.Errorf("the return has %v and RETURN_TIMEOUT is %v: no time is left for the read and the page", timeout, duration("RETURN_TIMEOUT"))
			}
			if id == "IpnWorker" && visibility < 6*timeout {
				t.Errorf("the visibility, %v, is less than six times the worker's %v, which Lambda recommends", visibility, timeout)
			}
		}
		if outage := time.Duration(receives) * visibility; outage < 24*time.Hour {
			t.Errorf("a message becomes a dead-letter message after %v without Postgres", outage)
		}
		if number(queue["MessageRetentionPeriod"]) != 14*24*60*60 {
			t.Errorf("the queue keeps messages for %v s", queue["MessageRetentionPeriod"])
		}
		if timeout := number(s.Resources["IpnReceiver"].Properties["Timeout"]); timeout >= 15 {
			t.Errorf("the receiver has %v s; SNS waits for 15", timeout)
		}
		// An HTTP API waits for 30 s, the cold start included (API Gateway
		// Developer Guide, "Quotas for configuring and running an HTTP API").
		for _, id := range []string{"IpnReceiver", "UpdateStart", "CheckoutReturn", "Console"} {
			if f, ok := s.Resources[id]; ok && number(f.Properties["Timeout"]) > 28 {
				t.Errorf("%s has %v s; behind an HTTP API it is 28 at most", id, f.Properties["Timeout"])
			}
		}
		source := s.Resources["IpnWorkerMessages"].Properties
		if number(source["BatchSize"]) > 10 && number(source["MaximumBatchingWindowInSeconds"]) < 1 {
			t.Error("a batch of more than 10 needs a window of a second")
		}
		minutes := s.parameters["ReconcileMinutes"].(string)
		if every := s.environment("Reconciler")["RECONCILE_INTERVAL"]; every != minutes+"m" ||
			s.Resources["ReconcilerSchedule"].Properties["ScheduleExpression"] != "rate("+minutes+" minutes)" {
			t.Errorf("the reconciler expects the schedule %v", every)
		}
		migration := s.Resources["Migration"].Properties
		if number(migration["ServiceTimeout"]) <= number(s.Resources["Migrator"].Properties["Timeout"]) {
			t.Error("CloudFormation times out before the migration ends")
		}
	})
}

func TestADeployMigratesBeforeNewCodeTakesTraffic(t *testing.T) {
	each(t, func(t *testing.T, s *stack, _ parameters) {
		for id, r := range s.of("AWS::Lambda::Function") {
			if id != "Migrator" && !slices.Contains(list(r.DependsOn), "Migration") {
				t.Errorf("%s does not depend on the migration", id)
			}
		}
		if m := s.Resources["Migration"].Properties; m["ServiceToken"] != s.attribute("Migrator", "Arn") || m["Accounts"] != s.environment("Migrator")["ACCOUNTS"] {
			t.Errorf("changed accounts do not run the migration: %v", m)
		}
		if code, ok := s.Resources[s.Resources["Migration"].Properties["Code"].(string)]; !ok || code.Type != "AWS::Lambda::Version" {
			t.Error("changed code of the migrator does not run the migration")
		}
	})
}

// TestDependenciesHaveNoCycle also finds references to resources that the conditions
// remove, because evaluation fails at them.
func TestDependenciesHaveNoCycle(t *testing.T) {
	source := load(t).Template
	for name, p := range combinations {
		s, err := evaluate(source, p, all)
		if err != nil {
			t.Fatal(err)
		}
		waits := map[string][]string{}
		for id, r := range s.Resources {
			waits[id] = append(list(r.DependsOn), references(r.Properties)...)
			for _, on := range list(r.DependsOn) {
				if _, ok := s.Resources[on]; !ok {
					t.Errorf("%s: %s depends on %s, which does not exist", name, id, on)
				}
			}
		}
		const begun, ended = 1, 2
		state := map[string]int{}
		var visit func(id string, path []string)
		visit = func(id string, path []string) {
			switch state[id] {
			case begun:
				t.Errorf("%s: %s depend on one another", name, strings.Join(append(path, id), " → "))
			case 0:
				state[id] = begun
				for _, on := range waits[id] {
					visit(on, append(path, id))
				}
			}
			state[id] = ended
		}
		for id := range s.Resources {
			visit(id, nil)
		}
	}
}

// references returns the resources that a value refers to.
func references(v any) (ids []string) {
	switch name, argument := intrinsic(v); name {
	case "Ref":
		return []string{argument.(string)}
	case "Fn::GetAtt":
		return []string{argument.([]any)[0].(string)}
	case "Fn::Sub":
		for _, m := range substitution.FindAllStringSubmatch(argument.(string), -1) {
			id, _, _ := strings.Cut(m[1], ".")
			ids = append(ids, id)
		}
		return ids
	}
	switch v := v.(type) {
	case map[string]any:
		for _, one := range v {
			ids = append(ids, references(one)...)
		}
	case []any:
		for _, one := range v {
			ids = append(ids, references(one)...)
		}
	}
	return ids
}

func TestOnlyFunctionsThatReachPostgresAreInTheVPC(t *testing.T) {
	each(t, func(t *testing.T, s *stack, p parameters) {
		for id, r := range s.of("AWS::Lambda::Function") {
			_, reaches := s.environment(id)["DATABASE_SECRET_ARN"]
			inside := at(r.Properties, "VpcConfig", "SubnetIds") != nil
			if inside != (reaches && p["VpcId"] != "") {
				t.Errorf("%s is in the VPC: %v", id, inside)
			}
		}
	})
}

func TestNewDatabaseIsPrivateEncryptedAndKept(t *testing.T) {
	each(t, func(t *testing.T, s *stack, p parameters) {
		clusters := s.of("AWS::RDS::DBCluster")
		if len(clusters) != 0 != (p["DatabaseSecretArn"] == "") {
			t.Fatalf("there are %d clusters", len(clusters))
		}
		for id, r := range clusters {
			if r.Properties["StorageEncrypted"] != true || r.Properties["DeletionProtection"] != true || r.DeletionPolicy != "Snapshot" || r.UpdateReplacePolicy != "Snapshot" ||
				number(r.Properties["BackupRetentionPeriod"]) < 7 {
				t.Errorf("%s: %+v", id, r)
			}
		}
		for id, r := range s.of("AWS::RDS::DBInstance") {
			if r.Properties["PubliclyAccessible"] != false {
				t.Errorf("%s is public", id)
			}
		}
		for id, r := range s.of("AWS::EC2::SecurityGroup") {
			for _, in := range r.Properties["SecurityGroupIngress"].([]any) {
				if at(in, "CidrIp") != nil || at(in, "SourceSecurityGroupId") == nil {
					t.Errorf("%s allows %v", id, in)
				}
			}
		}
		for id, r := range s.of("AWS::RDS::DBProxy") {
			if r.Properties["RequireTLS"] != true {
				t.Errorf("%s does not encrypt its connections", id)
			}
		}
	})
}

func TestOwnKeyEncryptsEverything(t *testing.T) {
	each(t, func(t *testing.T, s *stack, p parameters) {
		member := map[string]string{
			"AWS::SQS::Queue": "KmsMasterKeyId", "AWS::Logs::LogGroup": "KmsKeyId", "AWS::SecretsManager::Secret": "KmsKeyId",
			"AWS::Lambda::Function": "KmsKeyArn", "AWS::RDS::DBCluster": "KmsKeyId", "AWS::SNS::Topic": "KmsMasterKeyId",
		}
		want := any(nil)
		if p["KmsKeyArn"] != "" {
			want = kmsKey
		}
		for kind, name := range member {
			for id, r := range s.of(kind) {
				if r.Properties[name] != want {
					t.Errorf("%s is encrypted with %v, want %v", id, r.Properties[name], want)
				}
			}
		}
	})
}

// TestTheOutputPrintsTheIPNURL runs the command with an aws that has one secret.
func TestTheOutputPrintsTheIPNURL(t *testing.T) {
	dir := t.TempDir()
	// As Secrets Manager generates it.
	aws := "#!/bin/sh\n[ \"$1 $2 $5\" = 'secretsmanager get-secret-value --secret-id' ] || exit 1\ncase $6 in *IpnPathSecret*) echo '{\"ipnSecret\":\"S3cret\"}';; *) echo '{\"bearerKey\":\"S3cret\"}';; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(aws), 0o700); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, s *stack, p parameters) {
		base := "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
		if p["DomainName"] != "" {
			base = "https://wallet.example.com"
		}
		want := map[string]string{"IpnUrlCommand": base + "/ipn/main/S3cret\n", "BearerKeyCommand": "S3cret\n"}
		if p["UpdateAuth"] == "iam" {
			delete(want, "BearerKeyCommand")
		}
		for name, printed := range want {
			cmd := exec.CommandContext(t.Context(), "sh", "-c", s.Outputs[name].(string))
			cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin"}
			out, err := cmd.Output()
			if err != nil || string(out) != printed {
				t.Errorf("%s printed %q, %v, want %q", name, out, err, printed)
			}
		}
		if s.Outputs["UpdateUrl"] != base+"/update-sessions" {
			t.Errorf("the update URL is %v", s.Outputs["UpdateUrl"])
		}
		if console := s.Outputs["ConsoleUrl"]; (console == base+"/console") != (p["OidcIssuer"] != "") {
			t.Errorf("the console's URL is %v", console)
		}
	})
}
