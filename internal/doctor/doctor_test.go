package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/amazonpay"
	"walletsync/internal/config"
	"walletsync/internal/reconcile"
)

// one is a database that answers every look alike.
type one struct {
	Databases
	db  Database
	err error
}

func (o one) Look(context.Context, config.Secret, string) (Database, error) { return o.db, o.err }

func TestADatabaseIsReachedOverTLSOrOnThisMachine(t *testing.T) {
	for _, c := range []struct {
		name string
		db   Database
		err  error
		want State
		text string
	}{
		{"verified", Database{TLS: "TLS 1.3", Verified: true}, nil, Good, "certificate verified"},
		{"not verified", Database{TLS: "TLS 1.3"}, nil, Good, "sslmode=verify-full"},
		{"on this machine", Database{Local: true}, nil, Good, "on this machine"},
		{"in the clear", Database{}, &Unreachable{ReasonClear, errors.New("no")}, Bad, "sslmode=verify-full"},
		{"no such database", Database{}, &Unreachable{ReasonName, errors.New("no")}, Bad, "create the database"},
		{"a foreign certificate", Database{}, &Unreachable{ReasonTLS, errors.New("no")}, Bad, "member ca"},
		{"it broke off", Database{}, errors.New("EOF"), Bad, "run this again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r report
			d := Doctor{Databases: one{db: c.db, err: c.err}}
			_, ok := d.look(t.Context(), &r, "database", config.Secret{}, "")
			l := r.lines[0]
			if len(r.lines) != 1 || l.State != c.want || !strings.Contains(l.Found+l.Remedy, c.text) || ok != (c.err == nil) {
				t.Errorf("%+v, goes on: %v", r.lines, ok)
			}
		})
	}
	for _, reason := range []Reason{ReasonURL, ReasonLogin, ReasonName, ReasonClear, ReasonTLS, ReasonNetwork} {
		if unreachableRemedies[reason] == "" {
			t.Errorf("%s has no remedy", reason)
		}
	}
}

func TestARefusedSignInOfIAMHasARemedyOfItsOwn(t *testing.T) {
	d := Doctor{Databases: one{err: &Unreachable{ReasonLogin, errors.New("no")}}}
	for _, on := range []bool{false, true} {
		var r report
		d.Config.Worker.DatabaseIAM.On = on
		d.look(t.Context(), &r, "database", config.Secret{}, "")
		if iam := strings.Contains(r.lines[0].Remedy, "DATABASE_IAM_ENDPOINT"); iam != on {
			t.Errorf("with IAM %v: %s", on, r.lines[0].Remedy)
		}
	}
}

func TestOldCertificatesOfRDSAreReported(t *testing.T) {
	built := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		url  string
		now  time.Time
		want State // empty: it is not about RDS
	}{
		{"postgres://a@db.abc.eu-west-1.rds.amazonaws.com/a", built.AddDate(2, 11, 0), Good},
		{"postgres://a@db.abc.eu-west-1.rds.amazonaws.com/a", built.AddDate(3, 1, 0), Bad},
		{"postgres://a@db.example/a", built.AddDate(3, 1, 0), ""},
	} {
		d := Doctor{RDSBundle: built, Now: func() time.Time { return c.now }, Databases: one{err: &Unreachable{ReasonTLS, errors.New("no")}},
			Database: func(context.Context) (config.Database, error) {
				return config.Database{URL: config.NewSecret(c.url), DirectURL: config.NewSecret(c.url)}, nil
			}}
		d.Config.Worker.DatabaseSecret = "arn"
		var r report
		d.database(t.Context(), &r)
		var got State
		for _, l := range r.lines {
			if l.Check == "certificates of RDS" {
				got = l.State
			}
		}
		if got != c.want {
			t.Errorf("%s at %s: %q, want %q", c.url, c.now, got, c.want)
		}
	}
}

func TestEachAnswerOfAmazonHasItsRemedy(t *testing.T) {
	answer := func(status int, code string) (amazonpay.Response, error) {
		r := amazonpay.Response{StatusCode: status}
		return r, &amazonpay.Error{StatusCode: status, ReasonCode: code, Message: "…", Response: r}
	}
	for _, c := range []struct {
		name   string
		status int
		code   string
		err    error
		text   string // empty: accepted
	}{
		{"unknown", 404, "ResourceNotFound", nil, ""},
		{"not the key's other half", 403, "InvalidRequestSignature", nil, "other half"},
		{"an unknown key", 403, "InvalidAuthentication", nil, "does not know the publicKeyId"},
		{"an unknown key, by status", 401, "", nil, "does not know the publicKeyId"},
		{"a closed account", 403, "InvalidAccountStatus", nil, "merchant support"},
		{"used up", 429, "TooManyRequests", nil, "in a minute"},
		{"Amazon's trouble", 503, "ServiceUnavailable", nil, "Amazon Pay has trouble"},
		{"something else", 400, "InvalidHeaderValue", nil, "look up the code"},
		{"an old TLS", 426, "TLSVersionNotSupported", nil, "look up the code"},
		{"no way there", 0, "", errors.New("no route to host"), "NAT gateway"},
		{"no trust", 0, "", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}, "TLS_CA_FILE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := amazonpay.Response{}, c.err
			if err == nil {
				r, err = answer(c.status, c.code)
			}
			if _, remedy := judgeAnswer(r, err); (remedy == "") != (c.text == "") || !strings.Contains(remedy, c.text) {
				t.Error(remedy)
			}
		})
	}
	if _, remedy := judgeAnswer(amazonpay.Response{StatusCode: 200}, nil); remedy != "" {
		t.Error(remedy)
	}
}

func TestWhoOpensUpdateSessions(t *testing.T) {
	const problem = "application/problem+json"
	for _, c := range []struct {
		name string
		got  reply
		iam  bool
		good bool
	}{
		{"it takes the key", reply{status: 400, contentType: problem}, false, true},
		{"it refuses the key", reply{status: 401, contentType: problem}, false, false},
		{"it fails", reply{status: 502}, false, false},
		{"the gateway knows no such route", reply{status: 404, contentType: "application/json"}, false, false},
		{"the gateway refuses", reply{status: 403, contentType: "application/json"}, false, false},
		{"IAM, and the gateway refuses", reply{status: 403, contentType: "application/json"}, true, true},
		{"IAM, and everyone gets through", reply{status: 400, contentType: problem}, true, false},
	} {
		if _, remedy := judgeStart(c.got, nil, c.iam); (remedy == "") != c.good {
			t.Errorf("%s: %q", c.name, remedy)
		}
	}
}

func TestOurPageIsDistinguishedFromAnothers(t *testing.T) {
	html := "text/html; charset=utf-8"
	for _, c := range []struct {
		name string
		got  reply
		good bool
	}{
		{"ours", reply{status: http.StatusBadRequest, contentType: html, policy: true}, true},
		{"a page without our policy", reply{status: http.StatusOK, contentType: html}, false},
		{"the gateway's", reply{status: http.StatusNotFound, contentType: "application/json"}, false},
		{"a redirect", reply{status: http.StatusMovedPermanently, contentType: html, policy: true}, false},
		{"a failure", reply{status: http.StatusInternalServerError, contentType: html, policy: true}, false},
	} {
		if _, remedy := judgePage(c.got, nil); (remedy == "") != c.good {
			t.Errorf("%s: %q", c.name, remedy)
		}
	}
}

func TestOurIPNEndpointIsDistinguishedFromAnothers(t *testing.T) {
	for _, c := range []struct {
		name string
		got  reply
		text string
	}{
		{"ours", reply{status: 400, body: "malformed"}, ""},
		{"another secret", reply{status: 403, body: "path"}, "ipnPathSecretArn as here"},
		{"a firewall", reply{status: 403, body: "<html>"}, "firewall"},
		{"no secret to read", reply{status: 503}, "cannot read"},
		{"it does not start", reply{status: 502}, "does not start"},
		{"no route", reply{status: 404}, "route"},
	} {
		if _, remedy := judgeIPN(c.got, nil); (remedy == "") != (c.text == "") || !strings.Contains(remedy, c.text) {
			t.Errorf("%s: %q", c.name, remedy)
		}
	}
}

func TestOneMissingNotificationIsNoAlarm(t *testing.T) {
	now := time.Now()
	for verdict, h := range map[reconcile.Verdict]reconcile.Heard{
		reconcile.Untested: {},
		reconcile.Alive:    {Last: now.Add(-100 * time.Hour)},
		reconcile.Doubtful: {Last: now.Add(-time.Hour), Updates: 1},
		reconcile.Dead:     {Last: now.Add(-time.Hour), Updates: 1, Found: 1},
	} {
		_, remedy := judgeHeard(h, now)
		if bad := verdict == reconcile.Untested || verdict == reconcile.Dead; h.Verdict() != verdict || (remedy != "") != bad {
			t.Errorf("%s: %q", verdict, remedy)
		}
	}
}

// A queue as SQS describes it: maxReceiveCount may be a string.
func TestAQueueEncryptedByAKeyOfOnesOwnIsWhole(t *testing.T) {
	queue := map[string]string{
		"RedrivePolicy":     `{"deadLetterTargetArn":"arn:dead","maxReceiveCount":"1000"}`,
		"VisibilityTimeout": "180", "MessageRetentionPeriod": "1209600", "KmsMasterKeyId": "alias/ours", "SqsManagedSseEnabled": "false",
	}
	dead := map[string]string{"QueueArn": "arn:dead", "MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true", "ApproximateNumberOfMessages": "0"}
	if lines := judgeQueues(queue, dead, 35*time.Second); CountBad(lines) > 0 {
		t.Errorf("%+v", lines)
	}
}

func TestANewerSchemaIsNoFault(t *testing.T) {
	d := Doctor{Config: config.Deployment{Receiver: config.Receiver{}}}
	lines, there := d.judgeDatabase(Database{Server: 16, Schema: true, Unknown: 2, MayMigrate: true, EndsIdle: true})
	if CountBad(lines) > 0 || !there {
		t.Errorf("%+v", lines)
	}
	lines, there = d.judgeDatabase(Database{Server: 14, Schema: true, Blind: true, MayMigrate: true, Role: "shop"})
	if CountBad(lines) == 0 || there {
		t.Errorf("%+v", lines)
	}
}

func TestConnectionsThatCanBeOpenAreComparedWithWhatTheServerTakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		open   int
		before bool
		db     Database
		state  State
		says   string
	}{
		{"enough", 33, false, Database{Connections: 97, EndsIdle: true}, Good, "can have 33 open, and the server takes 97"},
		{"just enough", 33, false, Database{Connections: 33, EndsIdle: true}, Good, "33"},
		{"too few", 33, false, Database{Connections: 17, EndsIdle: true, Role: "shop"}, Bad, "takes 17 of shop"},
		{"a pooler", 33, false, Database{Connections: 17, Pooled: true}, Good, "pooler"},
		{"not set", 0, false, Database{Connections: 97, EndsIdle: true}, Skipped, "DATABASE_CONNECTIONS"},
		{"idle ones stay", 33, false, Database{Connections: 97, Schema: true}, Bad, "idle_session_timeout"},
		{"idle ones stay before the deploy", 33, true, Database{Connections: 97, Schema: true}, Skipped, "the migrator"},
		{"the database is empty", 33, false, Database{Connections: 97}, Skipped, "the migrator"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Doctor{Before: c.before, Config: config.Deployment{Worker: config.Worker{Connections: c.open}}}
			var r report
			d.judgeConnections(&r, c.db)
			if len(r.lines) != 1 || r.lines[0].State != c.state || !strings.Contains(r.lines[0].Found, c.says) {
				t.Errorf("%+v, want %v with %q", r.lines, c.state, c.says)
			}
		})
	}
}

func TestLinesAreForPeople(t *testing.T) {
	lines := []Line{
		{"key", "main", Good, "RSA of 2048 bits", ""},
		{"topic", "main", Bad, "none is pinned", "pin it"},
		{"sweep", "main", Skipped, "the database has not been looked into", ""},
	}
	want := `ok    key of main              RSA of 2048 bits
BAD   topic of main            none is pinned
      → pin it
skip  sweep of main            the database has not been looked into

1 good, 1 bad, 1 skipped
`
	var b strings.Builder
	if err := Print(&b, lines, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	if err := Print(&b, lines, true); err != nil || !strings.Contains(b.String(), "\x1b[31mBAD\x1b[0m") {
		t.Errorf("%q, %v", &b, err)
	}
}
