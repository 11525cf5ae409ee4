package twin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// network is the twin's listeners.
type network struct {
	api, proxy, control, checkout net.Listener
	servers                       []*http.Server
	caFile                        string
}

// serve returns the handlers by host name.
func (t *Twin) serve() map[string]http.Handler {
	hosts := map[string]http.Handler{}
	api := http.HandlerFunc(t.serveAPI)
	for _, h := range []string{"localhost", "127.0.0.1"} {
		hosts[h] = api
	}
	for name, of := range regions {
		hosts[of.apiHost] = api
		checkout := t.checkoutHandler(name)
		hosts[of.scriptHost] = checkout
		for _, h := range of.CheckoutHosts {
			hosts[h] = checkout
		}
	}
	sns := http.HandlerFunc(t.serveSNS)
	for _, a := range t.accounts {
		if region, err := parseTopic(a.TopicARN); err == nil {
			hosts["sns."+region+".amazonaws.com"] = sns
		}
	}
	return hosts
}

func (t *Twin) listen(ctx context.Context) (*network, error) {
	n := &network{caFile: t.options.CAFile}
	certificate, ca, err := certificates(t.hosts, t.now())
	if err != nil {
		return nil, err
	}
	for _, l := range []*net.Listener{&n.api, &n.proxy, &n.control, &n.checkout} {
		var c net.ListenConfig
		if *l, err = c.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return nil, errors.Join(fmt.Errorf("listen: %w", err), n.close())
		}
	}
	if n.caFile != "" {
		if err := os.WriteFile(n.caFile, ca, 0o644); err != nil { // a certificate is public
			return nil, errors.Join(fmt.Errorf("write the CA: %w", err), n.close())
		}
	}
	n.run(tls.NewListener(n.api, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}),
		http.HandlerFunc(t.byHost))
	n.run(n.proxy, http.HandlerFunc(t.connect))
	n.run(n.control, t.controlHandler())
	n.run(n.checkout, localOnly(t.checkoutHandler(t.accounts[0].Region)))
	return n, nil
}

func (n *network) run(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	n.servers = append(n.servers, s)
	go func() { _ = s.Serve(l) }() // ends with close
}

func (n *network) close() error {
	for _, s := range n.servers {
		_ = s.Close()
	}
	for _, l := range []net.Listener{n.api, n.proxy, n.control, n.checkout} {
		if l != nil {
			_ = l.Close() // closed with its server already, if it has one
		}
	}
	if n.caFile == "" {
		return nil
	}
	if err := os.Remove(n.caFile); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// certificates makes the certificate of all hosts, and the CA's as PEM.
func certificates(hosts map[string]http.Handler, now time.Time) (tls.Certificate, []byte, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make the CA: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make the certificate: %w", err)
	}
	// Clients judge it by their own clock, whatever the twin's has become.
	from, to := now.Add(-24*time.Hour), now.Add(10*365*24*time.Hour)
	ca := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "walletsync local twin CA"},
		NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	// The subject must not be the CA's: OpenSSL takes a certificate whose issuer
	// is its own subject for self-signed, and refuses it.
	leaf := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: "walletsync local twin"},
		NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	for h := range hosts {
		if net.ParseIP(h) == nil {
			leaf.DNSNames = append(leaf.DNSNames, h)
		}
	}
	caDER, caErr := x509.CreateCertificate(crand.Reader, ca, ca, &caKey.PublicKey, caKey)
	der, err := x509.CreateCertificate(crand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err := errors.Join(caErr, err); err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make the certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der, caDER}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), nil
}

// byHost hands a request to the host that it addresses.
func (t *Twin) byHost(w http.ResponseWriter, r *http.Request) {
	h := t.hosts[hostOnly(r.Host)]
	if h == nil {
		http.Error(w, "this twin is not "+clip(r.Host, 100), http.StatusMisdirectedRequest)
		return
	}
	h.ServeHTTP(w, r)
}

func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(host)
}

// connect is the proxy: it leads Amazon's hosts to the twin and refuses every
// other.
func (t *Twin) connect(w http.ResponseWriter, r *http.Request) {
	host, port, err := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || err != nil || port != "443" || t.hosts[strings.ToLower(host)] == nil {
		http.Error(w, "the twin's proxy leads to Amazon Pay and SNS alone", http.StatusForbidden)
		return
	}
	var d net.Dialer
	up, err := d.DialContext(r.Context(), "tcp", t.network.api.Addr().String())
	if err != nil {
		http.Error(w, "the twin does not listen", http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	if _, err := io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{}, 2)
	pipe := func(to io.Writer, from io.Reader) { _, _ = io.Copy(to, from); done <- struct{}{} }
	go pipe(up, buffered)
	go pipe(down, up)
	select { // the end of either side ends both
	case <-done:
	case <-t.ctx.Done():
	}
}

// APIURL is where the API listens; ProxyURL leads Amazon's own host names
// there; ControlURL is the control API.
func (t *Twin) APIURL() string { return "https://" + t.network.api.Addr().String() }

// ProxyURL is the value for HTTPS_PROXY.
func (t *Twin) ProxyURL() string { return "http://" + t.network.proxy.Addr().String() }

// ControlURL is the control API.
func (t *Twin) ControlURL() string { return "http://" + t.network.control.Addr().String() }

// CheckoutURL is where a browser finds the checkout pages, over http.
func (t *Twin) CheckoutURL() string { return "http://" + t.network.checkout.Addr().String() }

// CheckoutScriptURL is checkout.js, of the first account's region; those of
// Amazon's own hosts are reached through the proxy.
func (t *Twin) CheckoutScriptURL() string { return t.CheckoutURL() + "/checkout.js" }
