package pg

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestAURLThatWouldDoWithoutTLSIsRefused(t *testing.T) {
	for _, variable := range []string{"PGSSLMODE", "PGSSLROOTCERT", "PGHOST"} {
		t.Setenv(variable, "")
	}
	for _, c := range []struct {
		url  string
		want error
	}{
		{"postgres://shop:hush-hush@db.example/shop", ErrClear},
		{"postgres://shop:hush-hush@db.example/shop?sslmode=disable", ErrClear},
		{"postgres://shop:hush-hush@db.example/shop?sslmode=allow", ErrClear},
		{"postgres://shop:hush-hush@db.example/shop?sslmode=prefer", ErrClear},
		{"postgres://shop:hush-hush@10.0.0.1/shop", ErrClear},
		{"postgres://shop:hush-hush@[fd00::1]/shop", ErrClear},
		{"host=db.example user=shop password=hush-hush", ErrClear},
		{"postgres://shop:hush-hush@127.0.0.1,db.example/shop?sslmode=disable", ErrClear},
		{"postgres://shop:hush-hush@localhost:5432,db.example:5432/shop?sslmode=prefer", ErrClear},
		{"postgres://shop:hush-hush@127.0.0.1.example/shop", ErrClear},
		{"postgres://shop:hush-hush@/shop?host=db.example", ErrClear},
		{"postgres://shop:hush-hush@db.example/shop?sslmode=sometimes", ErrURL},
		{"postgres://shop:hush-hush@[::1/shop", ErrURL},
		{"postgres://shop:hush-hush@db.example/shop?sslmode=require", nil},
		{"postgres://shop:hush-hush@db.example/shop?sslmode=verify-ca", nil},
		{"postgres://shop:hush-hush@db.example/shop?sslmode=verify-full", nil},
		{"postgres://shop:hush-hush@a.example,b.example/shop?sslmode=verify-full&target_session_attrs=read-write", nil},
		{"postgres://shop:hush-hush@127.0.0.1/shop", nil},
		{"postgres://shop:hush-hush@127.1.2.3/shop?sslmode=disable", nil},
		{"postgres://shop:hush-hush@[::1]/shop?sslmode=disable", nil},
		{"postgres://shop:hush-hush@localhost/shop?sslmode=prefer", nil},
		{"postgres://shop:hush-hush@/shop?host=/var/run/postgresql", nil},
	} {
		_, err := ConnConfig(c.url, "")
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.url, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "hush-hush") || strings.Contains(err.Error(), "db.example")) {
			t.Errorf("%s: the error quotes the URL: %v", c.url, err)
		}
	}
	if !strings.Contains(ErrClear.Error(), "DATABASE_SECRET_ARN") {
		t.Errorf("the error does not name the setting: %v", ErrClear)
	}
}

func TestEveryHostTrustsTheSystemRDSAndTheSecretsAuthorities(t *testing.T) {
	const url = "postgres://shop@a.example,b.example/shop?sslmode=verify-full"
	block, _ := pem.Decode(rdsPEM)
	c, err := ConnConfig(url, string(pem.EncodeToMemory(block)))
	if err != nil {
		t.Fatal(err)
	}
	hosts := append([]*pgconn.FallbackConfig{{Host: c.Host, TLSConfig: c.TLSConfig}}, c.Fallbacks...)
	if len(hosts) < 2 {
		t.Fatalf("%d hosts", len(hosts))
	}
	for _, h := range hosts {
		if h.TLSConfig.RootCAs == nil || h.TLSConfig.InsecureSkipVerify || h.TLSConfig.ServerName != h.Host {
			t.Errorf("%s: %+v", h.Host, h.TLSConfig)
		}
	}
	if _, err := ConnConfig(url, "no certificate"); !errors.Is(err, ErrCA) {
		t.Errorf("a ca without a certificate: %v", err)
	}
	if c, err = ConnConfig("postgres://shop@a.example/shop?sslmode=verify-full&pool_max_conns=3&application_name=shop", ""); err != nil ||
		c.RuntimeParams["pool_max_conns"] != "" || c.RuntimeParams["application_name"] != "shop" {
		t.Errorf("%v, %v", c.RuntimeParams, err)
	}
	all, err := public()
	if err != nil || !all.Equal(c.TLSConfig.RootCAs) {
		t.Errorf("without a ca it does not trust the system and RDS alone: %v", err)
	}
}

// TestTheCertificatesOfRDSAreAuthoritiesThatHold reads each of the file.
func TestTheCertificatesOfRDSAreAuthoritiesThatHold(t *testing.T) {
	n, regions := 0, map[string]bool{}
	for rest := rdsPEM; ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		name := c.Subject.CommonName
		if !c.IsCA || !strings.HasPrefix(name, "Amazon RDS ") || c.NotBefore.After(BundleDate) || c.NotAfter.Before(BundleDate.AddDate(20, 0, 0)) || c.CheckSignatureFrom(c) != nil {
			t.Errorf("%s, from %s until %s", name, c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
		}
		regions[strings.Fields(name)[2]] = true
	}
	if n != 87 || !regions["eu-west-1"] || !regions["us-east-1"] || !regions["ap-northeast-1"] {
		t.Errorf("%d certificates of %v", n, regions)
	}
}

func BenchmarkFirstConfig(b *testing.B) {
	for b.Loop() {
		x509.NewCertPool().AppendCertsFromPEM(rdsPEM)
	}
}
