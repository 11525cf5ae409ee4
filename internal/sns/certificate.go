package sns

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	maxFetches = 8 // at once
	maxMissing = 256

	// missingFor is how long the answer that there is no such certificate, or
	// none that is fit, is believed: less than the 20 s after which SNS tries
	// again (facts, section 6).
	missingFor = 10 * time.Second
)

// NewHTTPClient returns an HTTP client fit for fetching certificates. roots are
// the certificate authorities that TLS trusts; nil means the system's. It uses
// the proxy that HTTPS_PROXY and NO_PROXY name (see
// [http.ProxyFromEnvironment]), and TLS 1.2 or newer.
func NewHTTPClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    3 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			// There is seldom a second request: certificates are kept.
			DisableKeepAlives: true,
		},
	}
}

// certificate is what verifying needs of one.
type certificate struct {
	key                 *rsa.PublicKey
	notBefore, notAfter time.Time // of the whole chain, where there is one
}

// missing is the answer that there is no certificate, or none that is fit.
type missing struct {
	err   error
	until time.Time
}

// outcome is what asking for a certificate came to.
type outcome struct {
	certificate certificate
	err         error
}

// certificate returns the one at the URL, which parse has checked.
func (o *Opener) certificate(ctx context.Context, url string) (certificate, error) {
	if known, ok := o.remembered(url); ok {
		return known.certificate, known.err
	}
	// All callers that wait share the fetch, so it does not end with the context
	// of the first.
	shared := context.WithoutCancel(ctx)
	flight := o.flights.DoChan(url, func() (any, error) {
		if known, ok := o.remembered(url); ok { // another flight landed meanwhile
			return known, nil
		}
		ctx, cancel := context.WithTimeout(shared, o.timeout)
		defer cancel()
		c, err := o.fetch(ctx, url)
		switch {
		case err == nil:
			o.known.put(url, c)
		case Forged(err), CertificateMissing(err):
			o.missing.put(url, missing{err, o.now().Add(missingFor)})
		}
		return outcome{c, err}, nil
	})
	select {
	case result := <-flight:
		fetched := result.Val.(outcome)
		return fetched.certificate, fetched.err
	case <-ctx.Done():
		return certificate{}, fail(reasonCertificateUnavailable, "while it was fetched: %w", context.Cause(ctx))
	}
}

// remembered returns the cached outcome of the URL, if there is one.
func (o *Opener) remembered(url string) (outcome, bool) {
	if c, ok := o.known.get(url); ok {
		return outcome{certificate: c}, true
	}
	if m, ok := o.missing.get(url); ok && o.now().Before(m.until) {
		return outcome{err: m.err}, true
	}
	return outcome{}, false
}

func (o *Opener) fetch(ctx context.Context, url string) (certificate, error) {
	select {
	case o.fetches <- struct{}{}:
		defer func() { <-o.fetches }()
	case <-ctx.Done():
		return certificate{}, fail(reasonCertificateUnavailable, "while waiting to fetch it: %w", ctx.Err())
	}
	status, body, err := o.get(ctx, url)
	switch {
	case err != nil:
		return certificate{}, &failure{reasonCertificateUnavailable, err}
	case status == http.StatusForbidden, status == http.StatusNotFound:
		return certificate{}, fail(reasonCertificateMissing, "HTTP status %d", status)
	case status != http.StatusOK:
		return certificate{}, fail(reasonCertificateUnavailable, "HTTP status %d", status)
	case len(body) > maxResponse:
		return certificate{}, fail(reasonCertificateMissing, "what is there is larger than %d bytes", maxResponse)
	case !bytes.Contains(body, []byte("-----BEGIN CERTIFICATE-----")): // as a proxy's page
		return certificate{}, fail(reasonCertificateMissing, "what is there is no PEM file of a certificate")
	}
	c, err := parseCertificate(body, o.roots)
	if err != nil {
		return certificate{}, &failure{reasonCertificate, err}
	}
	return c, nil
}

// maxChain bounds the certificates in one file.
const maxChain = 5

// parseCertificate reads a PEM file: the leaf, then the intermediates if there
// are any, whose chain must lead to one of the roots (nil: the system's).
func parseCertificate(pemData []byte, roots *x509.CertPool) (certificate, error) {
	var chain []*x509.Certificate
	for rest := pemData; len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return certificate{}, errors.New("not PEM of certificates alone")
		}
		if len(chain) == maxChain {
			return certificate{}, fmt.Errorf("more than %d certificates", maxChain)
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return certificate{}, fmt.Errorf("malformed: %w", err)
		}
		chain = append(chain, parsed)
	}
	if len(chain) == 0 {
		return certificate{}, errors.New("an empty file")
	}
	leaf := chain[0]
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok {
		return certificate{}, fmt.Errorf("a key of %s, not RSA", leaf.PublicKeyAlgorithm)
	}
	// Beyond these the signature means little, or costs much to verify.
	if bits := key.N.BitLen(); bits < 2048 || bits > 8192 {
		return certificate{}, fmt.Errorf("an RSA key of %d bits", bits)
	}
	c := certificate{key: key, notBefore: leaf.NotBefore, notAfter: leaf.NotAfter}
	if len(chain) > 1 {
		if err := c.checkChain(chain, roots); err != nil {
			return certificate{}, err
		}
	}
	return c, nil
}

// checkChain verifies the leaf up to one of the roots, and narrows the time in
// which c is valid to that of the whole chain.
func (c *certificate) checkChain(chain []*x509.Certificate, roots *x509.CertPool) error {
	intermediates := x509.NewCertPool()
	for _, i := range chain[1:] {
		intermediates.AddCert(i)
		if i.NotBefore.After(c.notBefore) {
			c.notBefore = i.NotBefore
		}
	}
	verified, err := chain[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		// A time when all should have been valid. The message's own is compared
		// with what is found here, again for each message.
		CurrentTime: c.notBefore,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("its chain: %w", err)
	}
	for _, link := range verified[0] {
		if link.NotBefore.After(c.notBefore) {
			c.notBefore = link.NotBefore
		}
		if link.NotAfter.Before(c.notAfter) {
			c.notAfter = link.NotAfter
		}
	}
	return nil
}

// cache keeps the most recently used of what it was given.
type cache[V any] struct {
	mu    sync.Mutex
	max   int
	clock uint64 // counts uses
	slots map[string]*slot[V]
}

type slot[V any] struct {
	value V
	used  uint64
}

func newCache[V any](limit int) *cache[V] {
	return &cache[V]{max: limit, slots: make(map[string]*slot[V])}
}

func (c *cache[V]) get(key string) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.slots[key]
	if !ok {
		return v, false
	}
	c.clock++
	s.used = c.clock
	return s.value, true
}

func (c *cache[V]) put(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.slots[key]; !known && len(c.slots) >= c.max {
		var oldest string
		for k, s := range c.slots {
			if oldest == "" || s.used < c.slots[oldest].used {
				oldest = k
			}
		}
		delete(c.slots, oldest)
	}
	c.clock++
	c.slots[key] = &slot[V]{v, c.clock}
}
