package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/admin"
	"holdfast/internal/config"
)

// wants looks for a finding, which must come with what helps and a page.
func (d *doctor) wants(t *testing.T, state, about, detail string) {
	t.Helper()
	for _, f := range d.list {
		if f.State == state && f.About == about && strings.Contains(f.Detail, detail) {
			if (f.Fix == "" || f.Page == "") && state != fine {
				t.Errorf("%s: %s comes without help or page", about, f.Detail)
			}
			return
		}
	}
	t.Errorf("no %s about %s with %q in %+v", state, about, detail, d.list)
}

func TestTheDoctorJudgesTheClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at     string
		kept   bool
		state  string
		detail string
	}{
		{"1970-01-01", true, problem, "it says 1970-01-01"},
		{"1970-01-01", false, problem, "it says 1970-01-01"},
		{"2030-05-06", false, warning, "nobody keeps it right: 2030-05-06"},
		{"2030-05-06", true, fine, "2030-05-06"},
	} {
		now, err := time.Parse(time.DateOnly, c.at)
		if err != nil {
			t.Fatal(err)
		}
		d := &doctor{}
		d.judgeClock(now, c.kept)
		d.wants(t, c.state, "clock", c.detail)
	}
	d := &doctor{}
	d.lookAtClock()
	if len(d.list) != 1 || d.list[0].About != "clock" {
		t.Errorf("about this machine's clock: %+v", d.list)
	}
}

func TestTheDoctorTellsWhatTheStoreWaitsFor(t *testing.T) {
	t.Parallel()
	since := time.Now().Add(-time.Minute)
	d := &doctor{}
	d.ownStore(&admin.StoreHealth{State: "down", Since: since, Reason: "disk full", Spooled: 7, InMemory: 2, SpoolReason: "no space", Dropped: map[string]uint64{"event": 3}})
	d.wants(t, problem, "store", "disk full; 5 facts wait on the disk, orders are refused")
	d.wants(t, problem, "store", "the disk takes no records: no space; 2 facts are in memory only")
	d.wants(t, warning, "store", "3 facts were lost")
	d = &doctor{}
	d.ownStore(&admin.StoreHealth{State: "up", Queued: 1, Spooled: 2})
	d.wants(t, fine, "store", "up, 3 facts wait for it")
	if len(d.list) != 1 {
		t.Errorf("%+v", d.list)
	}
}

func TestTheDoctorReadsBothCertificates(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		name          string
		begins, ends  time.Time
		names         []string
		state, detail string
	}{
		{"ended", now.Add(-48 * time.Hour), now.Add(-time.Hour), nil, problem, "ended at"},
		{"not yet", now.Add(time.Hour), now.Add(48 * time.Hour), nil, problem, "begins at"},
		{"soon", now.Add(-time.Hour), now.Add(73 * time.Hour), nil, warning, "ends in 3 days"},
		{"good", now.Add(-time.Hour), now.Add(1000 * time.Hour), nil, fine, "is good for 41 days"},
		{"no name", now.Add(-time.Hour), now.Add(1000 * time.Hour), nil, warning, "is for no name"},
		{"other names", now.Add(-time.Hour), now.Add(1000 * time.Hour), []string{"a.test", "*.c.test"}, warning, "is not for *.b.test, b.test"},
	} {
		cert, key := certificateFiles(t, c.begins, c.ends, c.names...)
		gateway, control := &doctor{config: &config.Config{}}, &doctor{config: &config.Config{}}
		gateway.config.TLS.Cert, gateway.config.TLS.Key = cert, key
		gateway.config.Functions = map[string]*config.Function{"f": {Routes: []config.Route{
			{Host: "a.test"}, {Host: "b.test"}, {Host: "*.b.test"}, {Host: "x.c.test"}, {Host: "b.test", Path: "/b/"}, {},
		}}}
		control.config.Admin.TLS.Cert, control.config.Admin.TLS.Key = cert, key
		control.config.Admin.Hosts = []string{"a.test", "*.b.test", "b.test"}
		for _, d := range []*doctor{gateway, control} {
			d.lookAtCertificates()
			d.wants(t, c.state, "certificate", c.detail)
		}
	}
}

func TestTheDoctorIsContentWithACertificateForAllHosts(t *testing.T) {
	t.Parallel()
	d := &doctor{config: &config.Config{Functions: map[string]*config.Function{"f": {Routes: []config.Route{{Host: "a.test"}, {Host: "*.b.test"}}}}}}
	d.config.TLS.Cert, d.config.TLS.Key = certificateFiles(t, time.Now().Add(-time.Hour), time.Now().Add(1000*time.Hour), "a.test", "*.b.test")
	d.lookAtCertificates()
	if len(d.list) != 1 || d.list[0].State != fine {
		t.Errorf("it found %+v", d.list)
	}
}

func TestTheDoctorFindsAKeyOfAnotherCertificate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	d := &doctor{config: &config.Config{}}
	d.config.TLS.Cert, _ = certificateFiles(t, now, now.Add(time.Hour))
	_, d.config.TLS.Key = certificateFiles(t, now, now.Add(time.Hour))
	d.lookAtCertificates()
	d.wants(t, problem, "certificate", "does not match")
}

// certificateFiles makes a certificate that is good for names from begins to ends.
func certificateFiles(t *testing.T, begins, ends time.Time, names ...string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: begins, NotAfter: ends, DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
