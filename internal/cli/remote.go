package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

var (
	errNoToken = errors.New("--url needs --token-file: a file with a token (holdfast token create makes one)")
	errNoCA    = errors.New("--ca-file holds no certificate in PEM form")
)

// remoteClient asks a Holdfast elsewhere over TLS.
func remoteClient(g *global) *client {
	c := &client{name: "at " + g.url, head: http.Header{}}
	base, err := remoteBase(g.url)
	if err != nil {
		return &client{err: err}
	}
	c.base = base
	if g.tokenFile == "" {
		return &client{err: errNoToken}
	}
	token, err := os.ReadFile(g.tokenFile)
	if err != nil {
		return &client{err: fmt.Errorf("read token: %w", err)}
	}
	c.head.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	trust, err := trusted(g.caFile)
	if err != nil {
		return &client{err: err}
	}
	c.http = &http.Client{
		Timeout:   askTimeout,
		Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true},
		// A token is for the one who was named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// remoteBase wants TLS wherever others could read the token.
func remoteBase(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("--url %s: want https://host:port", clean(text))
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("--url %s: the token would be sent in the clear; use https", clean(text))
	}
	return u.Scheme + "://" + u.Host, nil
}

func trusted(file string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return c, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errNoCA
	}
	return c, nil
}
