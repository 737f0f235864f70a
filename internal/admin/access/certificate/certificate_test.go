package certificate_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/admin/access/certificate"
)

func auto(t *testing.T, dir string, now time.Time, names ...string) *certificate.Source {
	t.Helper()
	s, err := certificate.Open(certificate.Config{Auto: dir, Names: names}, now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASelfSignedCertificateIsMadeOnceAndServesItsNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := auto(t, dir, time.Now(), "holdfast.example", "10.0.0.5")
	for name, mode := range map[string]os.FileMode{certificate.AutoKeyName: 0o600, certificate.AutoCertName: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if len(s.Fingerprint()) != 95 || time.Until(s.Ends()) < 390*24*time.Hour {
		t.Errorf("%s, %v", s.Fingerprint(), s.Ends())
	}
	if again := auto(t, dir, time.Now(), "holdfast.example"); again.Fingerprint() != s.Fingerprint() {
		t.Error("a new one was made")
	}
	pem, err := os.ReadFile(filepath.Join(dir, certificate.AutoCertName))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for name, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true, "holdfast.example": true, "10.0.0.5": true, "evil.example": false} {
		if err := handshake(t, s, &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	old := &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if err := handshake(t, s, old); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
}

// handshake is one over loopback.
func handshake(t *testing.T, s *certificate.Source, c *tls.Config) error {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		there, err := l.Accept()
		if err != nil {
			return
		}
		defer there.Close()
		_, _ = io.Copy(io.Discard, tls.Server(there, s.TLS()))
	}()
	d := tls.Dialer{Config: c, NetDialer: &net.Dialer{Timeout: 10 * time.Second}}
	here, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err == nil {
		here.Close()
	}
	l.Close()
	<-ended
	return err
}

func TestASelfSignedCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	first := auto(t, dir, now)
	if s := auto(t, dir, now.Add(360*24*time.Hour)); s.Fingerprint() != first.Fingerprint() {
		t.Error("renewed too early")
	}
	if s := auto(t, dir, now.Add(370*24*time.Hour)); s.Fingerprint() == first.Fingerprint() {
		t.Error("not renewed a month before its end")
	}
	if s := auto(t, dir, now, "new.example"); s.Fingerprint() == first.Fingerprint() {
		t.Error("not renewed for a new name")
	}
}

func TestARunningSourceRenewsItsOwnCertificate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var events []certificate.Event
		s, err := certificate.Open(certificate.Config{Auto: t.TempDir(), Report: func(e certificate.Event) { events = append(events, e) }}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		before := s.Fingerprint()
		time.Sleep(370 * 24 * time.Hour)
		if _, err := s.TLS().GetCertificate(nil); err != nil {
			t.Fatal(err)
		}
		if s.Fingerprint() == before || len(events) != 1 || events[0].Fingerprint != s.Fingerprint() || events[0].Err != nil {
			t.Errorf("%+v", events)
		}
	})
}

func copyPair(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{certificate.AutoCertName, certificate.AutoKeyName} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestChangedFilesAreTakenAndBrokenOnesAreNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b, used := t.TempDir(), t.TempDir(), t.TempDir()
		first, second := auto(t, a, time.Now()), auto(t, b, time.Now())
		copyPair(t, a, used)
		certFile, keyFile := filepath.Join(used, certificate.AutoCertName), filepath.Join(used, certificate.AutoKeyName)
		var events []certificate.Event
		s, err := certificate.Open(certificate.Config{CertFile: certFile, KeyFile: keyFile, Report: func(e certificate.Event) { events = append(events, e) }}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		look := func() string {
			time.Sleep(6 * time.Second)
			if _, err := s.TLS().GetCertificate(nil); err != nil {
				t.Fatal(err)
			}
			return s.Fingerprint()
		}
		if look() != first.Fingerprint() || len(events) != 0 {
			t.Fatalf("nothing changed: %+v", events)
		}
		if err := os.WriteFile(keyFile, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if look() != first.Fingerprint() || len(events) != 1 || events[0].Err == nil || strings.Contains(events[0].Err.Error(), "half") {
			t.Errorf("broken: %+v", events)
		}
		if look() != first.Fingerprint() || len(events) != 1 {
			t.Errorf("the same trouble was reported again: %+v", events)
		}
		if err := os.Remove(certFile); err != nil {
			t.Fatal(err)
		}
		if look() != first.Fingerprint() || len(events) != 2 || events[1].Err == nil {
			t.Errorf("gone: %+v", events)
		}
		copyPair(t, b, used)
		if look() != second.Fingerprint() || len(events) != 3 || events[2].Err != nil || events[2].Fingerprint != second.Fingerprint() {
			t.Errorf("replaced: %+v", events)
		}
	})
}

func TestWhatCannotBeUsedIsSaid(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "x")
	mixed, other := t.TempDir(), t.TempDir()
	auto(t, mixed, time.Now())
	auto(t, other, time.Now())
	open, half, broken := t.TempDir(), t.TempDir(), t.TempDir()
	for _, dir := range []string{open, half, broken} {
		auto(t, dir, time.Now())
	}
	for _, err := range []error{
		os.Chmod(filepath.Join(open, certificate.AutoKeyName), 0o644),
		os.Remove(filepath.Join(half, certificate.AutoKeyName)),
		os.WriteFile(filepath.Join(broken, certificate.AutoCertName), []byte("x"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		config certificate.Config
		want   string
	}{
		"nothing":       {certificate.Config{}, "both files"},
		"one file":      {certificate.Config{CertFile: missing}, "both files"},
		"both ways":     {certificate.Config{Auto: mixed, CertFile: missing}, "not both"},
		"missing":       {certificate.Config{CertFile: missing, KeyFile: missing}, missing},
		"another's key": {certificate.Config{CertFile: filepath.Join(mixed, certificate.AutoCertName), KeyFile: filepath.Join(other, certificate.AutoKeyName)}, "private key"},
		"open key":      {certificate.Config{Auto: open}, "delete it"},
		"half a pair":   {certificate.Config{Auto: half}, "new ones are made"},
		"broken pair":   {certificate.Config{Auto: broken}, "new ones are made"},
	} {
		if _, err := certificate.Open(c.config, time.Now()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingButTLSLeavesThisMachine(t *testing.T) {
	t.Parallel()
	for address, exposed := range map[string]bool{
		"127.0.0.1": false, "127.0.0.9": false, "::1": false, "::ffff:127.0.0.1": false,
		"0.0.0.0": true, "::": true, "10.0.0.5": true, "192.168.1.1": true, "fe80::1": true, "169.254.1.1": true, "": true,
	} {
		a := &net.TCPAddr{IP: net.ParseIP(address), Port: 8081}
		plain := certificate.CheckListener("admin.listen", a, false)
		if (plain != nil) != exposed || certificate.CheckListener("admin.listen", a, true) != nil {
			t.Errorf("%s: %v", address, plain)
		}
		if plain != nil && (!strings.Contains(plain.Error(), "admin.listen") || !strings.Contains(plain.Error(), "admin.tls")) {
			t.Errorf("no way out: %v", plain)
		}
	}
	if certificate.Exposed(&net.UnixAddr{Name: "x", Net: "unix"}) || !certificate.Exposed(&net.IPAddr{}) {
		t.Error("other kinds of addresses")
	}
}
