package pg

import (
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed rds.pem
var rdsPEM []byte

// BundleDate is the date of the RDS certificates: a region or an authority that
// came later is not among them.
var BundleDate = time.Date(2024, time.November, 23, 0, 0, 0, 0, time.UTC)

// The errors of ConnConfig. None quotes the URL, which holds a password; pgx's own do.
var (
	ErrURL = errors.New("the database URL cannot be read; it must look like postgres://user:password@host:5432/database?sslmode=verify-full")
	// ErrClear: every host that the URL names, and every fallback of pgx's, must
	// take TLS, unless it is on this machine.
	ErrClear = errors.New("DATABASE_SECRET_ARN: the URL in that secret allows a connection to another machine without TLS; add sslmode=verify-full to url, and to directUrl if there is one")
	ErrCA    = errors.New(`DATABASE_SECRET_ARN: the member "ca" of that secret holds no certificate in PEM`)
)

// ConnConfig returns how to connect to the database at url; it makes no connection.
// The functions, the migrator, the CLI and the doctor all use it. It refuses a URL
// that allows an unencrypted connection to another machine.
//
// It trusts the system's certificate authorities, those of Amazon RDS, which no
// system has, and those in ca, in PEM, which may be empty. A URL with sslrootcert
// trusts that file in place of the system and RDS.
func ConnConfig(url, ca string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, ErrURL
	}
	for name := range c.RuntimeParams {
		if strings.HasPrefix(name, "pool_") { // pgxpool's own, which the server would refuse
			delete(c.RuntimeParams, name)
		}
	}
	all := []*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}
	for _, f := range append(all, c.Fallbacks...) {
		if f.TLSConfig == nil && !Local(f.Host) {
			return nil, ErrClear
		}
		if err := trust(f.TLSConfig, ca); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Local reports whether a host is this machine: its loopback or a Unix socket.
func Local(host string) bool {
	network, _ := pgconn.NetworkAddress(host, 0)
	ip := net.ParseIP(host)
	return network == "unix" || host == "localhost" || ip != nil && ip.IsLoopback()
}

// Verified reports whether the server's certificate and name are checked, or with
// sslmode=verify-ca the certificate alone.
func Verified(c *tls.Config) (certificate, name bool) {
	if c == nil {
		return false, false
	}
	// pgx checks the chain of verify-ca by VerifyPeerCertificate, trust by VerifyConnection.
	return !c.InsecureSkipVerify || c.VerifyPeerCertificate != nil || c.VerifyConnection != nil, !c.InsecureSkipVerify
}

// trust adds the certificate authorities to a configuration of pgx's. One of
// sslmode=require, which checks nothing, checks the certificate once ca says by
// whom it must be signed, as libpq does with a root certificate.
func trust(t *tls.Config, ca string) error {
	if t == nil {
		return nil
	}
	if checked, _ := Verified(t); !checked {
		if ca == "" {
			return nil
		}
		t.RootCAs = x509.NewCertPool()
		t.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s.PeerCertificates, t.RootCAs) }
	}
	switch {
	case t.RootCAs == nil: // no sslrootcert
		public, err := public()
		if err != nil {
			return err
		}
		t.RootCAs = public
		if ca != "" {
			t.RootCAs = public.Clone()
		}
	case ca != "":
		t.RootCAs = t.RootCAs.Clone()
	}
	if ca != "" && !t.RootCAs.AppendCertsFromPEM([]byte(ca)) {
		return ErrCA
	}
	return nil
}

// public are the authorities of the system and of RDS. They are read when the
// first connection is made: a start need not wait for that.
var public = sync.OnceValues(func() (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificate authorities: %w", err)
	}
	roots.AppendCertsFromPEM(rdsPEM)
	return roots, nil
})

// verifyChain checks that the first of the certificates was signed by one of the
// roots, by way of the others.
func verifyChain(shown []*x509.Certificate, roots *x509.CertPool) error {
	if len(shown) == 0 {
		return errors.New("the server shows no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}
