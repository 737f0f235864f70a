//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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
	"path/filepath"
	"time"

	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
)

var (
	errNoReference = errors.New("this case needs " + report.Reference)
	errBody        = errors.New("not the answer of the backend")
)

// checkTimeout is how long a proxy may take to find its backend healthy.
const checkTimeout = 15 * time.Second

// check asks a proxy for path until the backend's answer comes.
func check(ctx context.Context, c *contest, e *entry, path string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	client, scheme := &http.Client{Transport: &http.Transport{}}, "http://"
	if c.name == report.TLS {
		roots, err := rootsOf(c.dir)
		if err != nil {
			return err
		}
		client.Transport, scheme = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, "https://"
	}
	defer client.CloseIdleConnections()
	for {
		err := ask(ctx, client, scheme+e.process.Listen+path, sizeOf(path))
		if err == nil {
			return nil
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return err
		}
	}
}

func sizeOf(path string) int {
	switch path {
	case peer.TenKPath:
		return peer.TenKSize
	case peer.OneMPath:
		return peer.OneMSize
	default:
		return peer.SmallSize
	}
}

func ask(ctx context.Context, client *http.Client, url string, size int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || n != int64(size) {
		return fmt.Errorf("%w: %s with %d bytes from %s", errBody, answer.Status, n, url)
	}
	return nil
}

const certName = "cert.pem"

// certificate makes a certificate of ECDSA P-256 for 127.0.0.1. HAProxy finds
// the key by its name.
func certificate(dir string) (cert, key string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", "", err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	cert = filepath.Join(dir, certName)
	key = cert + ".key"
	return cert, key, errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}

func rootsOf(dir string) (*x509.CertPool, error) {
	text, err := os.ReadFile(filepath.Join(dir, certName))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return roots, nil
}
