package postgres

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/config"
	"walletsync/internal/doctor"
	"walletsync/internal/local/pg"
)

// certificate returns one for 127.0.0.1 that signs itself, with its key, in PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a database"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// secure starts a server that takes TLS beside clear connections, and returns
// the file with its certificate.
func secure(t *testing.T) (server *pg.Server, ca string) {
	t.Helper()
	o, err := pg.FromEnvironment(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	o.InMemory = true
	if server, err = pg.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	cert, key := certificate(t)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(cert), 0o600); err != nil {
		t.Fatal(err)
	}
	// The server writes its files itself: the key must be its user's own.
	file := func(name, text string) string {
		return `copy (select unnest(string_to_array('` + strings.TrimSpace(text) + `', E'\n'))) to program 'umask 077; cat > ` + name + `'`
	}
	if err := server.Exec(t.Context(), file("server.crt", cert), file("server.key", key), `alter system set ssl = on`, `select pg_reload_conf()`); err != nil {
		t.Fatal(err)
	}
	return server, ca
}

func TestHowADatabaseIsReached(t *testing.T) {
	server, ca := secure(t)
	look := func(query, ca string) (doctor.Database, error) {
		u, err := url.Parse(server.AdminURL())
		if err != nil {
			t.Fatal(err)
		}
		u.RawQuery = query
		return Examiner{}.Look(t.Context(), config.NewSecret(u.String()), ca)
	}
	trusted, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	another, _ := certificate(t)
	for deadline := time.Now().Add(20 * time.Second); ; { // the server reads its settings again when it comes to it
		if db, err := look("sslmode=require", ""); err == nil && db.TLS != "" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%+v, %v", db, err)
		}
	}
	for _, c := range []struct {
		query   string
		ca      string
		tls, ok bool
		reason  doctor.Reason
	}{
		{query: "sslmode=verify-full&sslrootcert=" + ca, tls: true, ok: true},
		{query: "sslmode=verify-ca&sslrootcert=" + ca, tls: true},
		{query: "sslmode=require", tls: true},
		{query: "sslmode=prefer", tls: true},
		{query: "sslmode=disable"},
		{query: "sslmode=verify-full", reason: doctor.ReasonTLS},
		{query: "sslmode=verify-full", ca: string(trusted), tls: true, ok: true},
		{query: "sslmode=verify-full", ca: another, reason: doctor.ReasonTLS},
		{query: "sslmode=verify-full", ca: "no certificate", reason: doctor.ReasonTLS},
		{query: "sslmode=verify-ca", ca: string(trusted), tls: true},
		{query: "sslmode=verify-ca", ca: another, reason: doctor.ReasonTLS},
		{query: "sslmode=require", ca: string(trusted), tls: true},
		{query: "sslmode=require", ca: another, reason: doctor.ReasonTLS},
		{query: "sslmode=sometimes", reason: doctor.ReasonURL},
	} {
		db, err := look(c.query, c.ca)
		if c.reason != "" {
			if u, ok := errors.AsType[*doctor.Unreachable](err); !ok || u.Reason != c.reason {
				t.Errorf("%s: %v, want the reason %s", c.query, err, c.reason)
			}
			continue
		}
		if err != nil || strings.HasPrefix(db.TLS, "TLS 1.") != c.tls || db.Verified != c.ok || !db.Local {
			t.Errorf("%s: %+v, %v", c.query, db, err)
		}
	}
}

func TestWhyADatabaseIsNotReached(t *testing.T) {
	server, _ := secure(t)
	for name, c := range map[string]struct {
		change func(*url.URL)
		want   doctor.Reason
	}{
		"another role":     {func(u *url.URL) { u.User = url.UserPassword("stranger", "hush-hush") }, doctor.ReasonLogin},
		"another database": {func(u *url.URL) { u.Path = "/elsewhere" }, doctor.ReasonName},
		"without TLS":      {func(u *url.URL) { u.Host = "db.example:5432" }, doctor.ReasonClear},
		"another port":     {func(u *url.URL) { u.Host = "127.0.0.1:1" }, doctor.ReasonNetwork},
	} {
		u, err := url.Parse(server.AdminURL())
		if err != nil {
			t.Fatal(err)
		}
		c.change(u)
		_, err = Examiner{}.Look(t.Context(), config.NewSecret(u.String()), "")
		if got, ok := errors.AsType[*doctor.Unreachable](err); !ok || got.Reason != c.want || strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	signIn := Examiner{SignIn: func(_ context.Context, c *pgx.ConnConfig) error { c.User = "stranger"; return nil }}
	if _, err := signIn.Look(t.Context(), config.NewSecret(server.AdminURL()), ""); err == nil || !strings.Contains(err.Error(), "stranger") {
		t.Errorf("signed in by other means: %v", err)
	}
}
