package up_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

func TestReplacedCertificateFilesAreTakenAndBrokenOnesAreNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	firstCert, firstKey, first := holdfast.Certificate(t)
	nextCert, nextKey, next := holdfast.Certificate(t)
	put(t, firstCert, cert)
	put(t, firstKey, key)
	file, _ := configFile(t, fmt.Sprintf("tls: {cert: %q, key: %q}\nlog: {access: off}\nfunctions:\n", cert, key)+demoFunction(t, "web", 1, ""))
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	url := "https://" + p.Gateway[strings.LastIndex(p.Gateway, "/")+1:] + "/api/web/hello"

	before, known := client(first), client(next)
	ask(t, before, url)
	if _, err := known.Get(url); err == nil {
		t.Fatal("a client that knows another certificate only was served")
	}
	put(t, nextKey, key)
	put(t, nextCert, cert)
	// One of the two is in use at any time: no handshake fails in the middle, with
	// whichever of them it is.
	either := first.Clone()
	if text, err := os.ReadFile(nextCert); err != nil || !either.AppendCertsFromPEM(text) {
		t.Fatalf("read the next certificate: %v", err)
	}
	renewed := func() bool {
		c := client(either)
		defer c.CloseIdleConnections()
		res, err := c.Get(url)
		if err != nil {
			t.Fatalf("neither certificate is in use: %v", err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		_, err = res.TLS.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: next})
		return err == nil
	}
	holdfast.Poll(t, 20*time.Second, "using the new certificate", renewed)
	ask(t, before, url) // the connection lives on
	ask(t, known, url)

	if err := os.WriteFile(cert, []byte("-----BEGIN CERTIFICATE-----\nbroken"), 0o600); err != nil {
		t.Fatal(err)
	}
	holdfast.Poll(t, 20*time.Second, "complaining about the broken certificate", func() bool {
		if !renewed() {
			t.Fatal("the broken certificate put another one in use")
		}
		return strings.Contains(p.Log(), "certificate not replaced")
	})
	ask(t, before, url)
	ask(t, known, url)

	plain, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(url, "/api/web/hello"), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	_ = plain.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if got, err := io.ReadAll(plain); err != nil || !strings.HasPrefix(string(got), "HTTP/1.0 400 ") || !strings.Contains(string(got), "https://") {
		t.Errorf("plain HTTP is answered %q, %v", got, err)
	}
}

// put replaces a file by a copy of another, as a program that renews does.
func put(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

func client(roots *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}}, Timeout: 10 * time.Second}
}

// ask sends a request on the client's only connection.
func ask(t *testing.T, c *http.Client, url string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%d, %v", res.StatusCode, err)
	}
}
