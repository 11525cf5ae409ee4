package template

import (
	"maps"
	"strings"
	"testing"
)

// The secrets, topics and other resources in the operator's parameters.
const (
	privateKeySecretArn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:amazon-pay-key-AbCdEf"
	consoleSecret       = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:console-AbCdEf"
	databaseSecret      = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:database-AbCdEf"
	jpKeySecret         = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:jp-key-AbCdEf"
	jpIpnPathSecret     = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:jp-ipn-path-AbCdEf"
	amazonsTopic        = "arn:aws:sns:eu-west-1:291180941288:amazon-pay"
	relayTopic          = "arn:aws:sns:eu-central-1:111122223333:relay"
	pushTopic           = "arn:aws:sns:eu-west-1:111122223333:changes"
	pushBus             = "arn:aws:events:eu-west-1:111122223333:event-bus/shop"
	kmsKey              = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	certificate         = "arn:aws:acm:eu-west-1:111122223333:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
	databaseUser        = "arn:aws:rds-db:eu-west-1:111122223333:dbuser:cluster-ABCDEFGHIJKL/walletsync"
	alarmTopic          = "arn:aws:sns:eu-west-1:111122223333:alarms"
)

// merchant has the parameters without a default.
var merchant = map[string]string{
	"MerchantId": "A1EXAMPLE", "AmazonPayRegion": "EU", "LedgerCurrency": "EUR", "PublicKeyId": "SANDBOX-AEXAMPLE",
	"StoreId": "amzn1.application-oa2-client.0123456789abcdef", "PrivateKeySecretArn": privateKeySecretArn,
}

type parameters = map[string]string

var (
	hosted  = parameters{"DatabaseSecretArn": databaseSecret}
	vpc     = parameters{"VpcId": "vpc-0123456789abcdef0", "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1", "SecurityGroupIds": "sg-0123456789abcdef0"}
	further = parameters{"FurtherAccounts": `{"id":"jp","merchantId":"A2EXAMPLE","environment":"live","region":"JP","ledgerCurrency":"JPY","publicKeyId":"LIVE-A","storeId":"amzn1.application-oa2-client.fedcba","privateKeySecretArn":"` + jpKeySecret + `","ipnPathSecretArn":"` + jpIpnPathSecret + `"}`, "FurtherKeySecretArns": jpKeySecret, "FurtherIpnPathSecretArns": jpIpnPathSecret}
	kms     = parameters{"KmsKeyArn": kmsKey}
	domain  = parameters{"DomainName": "wallet.example.com", "CertificateArn": certificate, "HostedZoneId": "Z0123456789ABCDEFGHIJ"}
	byIAM   = parameters{"UpdateAuth": "iam"}
	topics  = parameters{"DirectTopicArn": amazonsTopic, "RelayTopicArn": relayTopic, "Topics": amazonsTopic + "," + relayTopic}
	toTopic = parameters{"FeedTopicArn": pushTopic}
	toBus   = parameters{"FeedBusArn": pushBus}
	console = parameters{
		"OidcIssuer": "https://login.example.com", "OidcClientId": "console", "ConsoleSecretArn": consoleSecret,
		"Roles": `{"act":["payments"],"read":["support"]}`, "TimeZone": "Europe/Berlin",
	}
	traced   = parameters{"Tracing": "Active"}
	mailed   = parameters{"AlarmEmail": "ops@example.com"}
	plain    = parameters{"Architecture": "x86_64", "Dashboard": "false"}
	reserved = parameters{"ReserveConcurrency": "true"}
)

func with(all ...parameters) parameters {
	out := maps.Clone(merchant)
	for _, p := range all {
		maps.Copy(out, p)
	}
	return out
}

// combinations has each parameter that adds or removes a resource, permission or
// variable, alone and together with the parameters that it interacts with.
var combinations = map[string]parameters{
	"the default":                      with(hosted),
	"IAM for callers":                  with(hosted, byIAM),
	"in a VPC":                         with(hosted, vpc),
	"a new cluster":                    with(vpc),
	"a new cluster behind a proxy":     with(vpc, parameters{"RdsProxy": "true"}),
	"IAM database authentication":      with(hosted, vpc, parameters{"DatabaseUserArn": databaseUser}),
	"the operator's own key":           with(hosted, kms, mailed),
	"a domain":                         with(hosted, domain),
	"a domain whose zone is elsewhere": with(hosted, domain, parameters{"HostedZoneId": ""}),
	"a console":                        with(hosted, console),
	"traced":                           with(hosted, traced),
	"on x86, without dashboard":        with(hosted, plain),
	"concurrency reserved":             with(hosted, reserved),
	"a second account":                 with(hosted, further, parameters{"AccountSettings": `"share":0.3,"follow":{"knownOnly":true}`}),
	"topics without a path":            with(hosted, topics),
	"changes published to a topic":     with(hosted, toTopic),
	"changes published to a bus":       with(hosted, toBus, parameters{"AlarmTopicArn": alarmTopic}),
	"everything, with a new cluster":   with(vpc, parameters{"RdsProxy": "true"}, further, kms, domain, byIAM, console, topics, toBus, traced, mailed, reserved),
	"everything, with an own database": with(hosted, vpc, parameters{"DatabaseUserArn": databaseUser, "AccountSettings": `"share":0.3`}, further, kms, domain, console, topics, toTopic, traced, mailed, reserved),
}

// each runs a test for every combination.
func each(t *testing.T, do func(t *testing.T, s *stack, p parameters)) {
	t.Helper()
	source := load(t).Template
	for name, p := range combinations {
		t.Run(name, func(t *testing.T) {
			s, err := evaluate(source, p, none)
			if err != nil {
				t.Fatal(err)
			}
			do(t, s, p)
		})
	}
}

func TestConflictingParametersAreRefusedWithARemedy(t *testing.T) {
	source := load(t).Template
	for name, c := range map[string]struct {
		p    parameters
		says string
	}{
		"no database":                      {with(), "Set DatabaseSecretArn"},
		"a proxy before an own database":   {with(hosted, vpc, parameters{"RdsProxy": "true"}), "directUrl"},
		"IAM for a new cluster's user":     {with(vpc, parameters{"DatabaseUserArn": databaseUser}), "DatabaseUserArn"},
		"a domain without certificate":     {with(hosted, domain, parameters{"CertificateArn": ""}), "CertificateArn"},
		"a console without roles":          {with(hosted, console, parameters{"Roles": ""}), "Roles"},
		"two targets of the push":          {with(hosted, toBus, toTopic), "FeedBusArn"},
		"two topics of alarms":             {with(hosted, mailed, parameters{"AlarmTopicArn": alarmTopic}), "AlarmEmail"},
		"a secret that is no ARN":          {with(hosted, parameters{"PrivateKeySecretArn": "-----BEGIN PRIVATE KEY-----"}), "PrivateKeySecretArn"},
		"an account name unfit for a path": {with(hosted, parameters{"AccountName": "Main/1"}), "AccountName"},
	} {
		if _, err := evaluate(source, c.p, none); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error with %s", name, err, c.says)
		}
	}
}

func TestEveryParameterHasADescriptionAndAGroup(t *testing.T) {
	full := load(t).Template
	groups := at(full.Metadata, "AWS::CloudFormation::Interface", "ParameterGroups")
	grouped := map[string]bool{}
	for _, g := range groups.([]any) {
		for _, p := range list(at(g, "Parameters")) {
			grouped[p] = true
			if _, ok := full.Parameters[p]; !ok {
				t.Errorf("%s is in a group but is no parameter", p)
			}
		}
	}
	for name, p := range full.Parameters {
		if !grouped[name] {
			t.Errorf("%s is in no group", name)
		}
		if len(p.Description) < 20 {
			t.Errorf("the description of %s is too short: %q", name, p.Description)
		}
	}
	for _, name := range []string{
		"SubnetIds", "RdsProxy", "DatabaseSecretArn", "DatabaseUserArn", "KmsKeyArn", "DomainName", "Tracing", "FurtherAccounts", "UpdateAuth",
		"DirectTopicArn", "OidcIssuer", "ConsoleSecretArn", "FeedTopicArn", "FeedBusArn", "Dashboard", "AlarmEmail", "ReserveConcurrency",
	} {
		d := full.Parameters[name].Description
		if !strings.Contains(d, "$") && !strings.Contains(strings.ToLower(d), "free") && !strings.Contains(d, "osts nothing") {
			t.Errorf("the description of %s lacks its cost when idle: %q", name, d)
		}
	}
}
