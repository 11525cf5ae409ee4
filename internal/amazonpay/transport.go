package amazonpay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"time"
)

// NewHTTPClient returns an HTTP client fit for Amazon's API and for as many
// calls at once as inFlight says: it keeps that many idle connections, so that
// no call has to set up TLS again. (net/http's default keeps two for a host.)
// More calls at once work, at that price.
//
// roots are the certificate authorities that it trusts; nil means the system's.
// It uses the proxy that HTTPS_PROXY and NO_PROXY name (see
// [http.ProxyFromEnvironment]), and TLS 1.2 or newer.
func NewHTTPClient(roots *x509.CertPool, inFlight int) *http.Client {
	// HTTP/1.1 alone: one HTTP/2 connection that died unnoticed, as when a
	// function was frozen, would stall every call that shares it.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			MaxIdleConns:           inFlight,
			MaxIdleConnsPerHost:    inFlight,
			IdleConnTimeout:        50 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // unpacking costs more than the few kB are worth
			Protocols:              &protocols,
			OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
				if answer.StatusCode != http.StatusOK {
					return proxyError(answer.StatusCode)
				}
				return nil
			},
		},
	}
}
