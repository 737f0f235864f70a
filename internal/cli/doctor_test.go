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

func TestTheDoctorReadsTheCertificate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		name          string
		begins, ends  time.Time
		state, detail string
	}{
		{"ended", now.Add(-48 * time.Hour), now.Add(-time.Hour), problem, "ended at"},
		{"not yet", now.Add(time.Hour), now.Add(48 * time.Hour), problem, "begins at"},
		{"soon", now.Add(-time.Hour), now.Add(73 * time.Hour), warning, "ends in 3 days"},
		{"good", now.Add(-time.Hour), now.Add(1000 * time.Hour), fine, "is good for 41 days"},
	} {
		d := &doctor{config: &config.Config{}}
		d.config.Admin.TLS.Cert, d.config.Admin.TLS.Key = certificateFiles(t, c.begins, c.ends)
		d.lookAtCertificate()
		d.wants(t, c.state, "certificate", c.detail)
	}
	d := &doctor{config: &config.Config{}}
	d.config.Admin.TLS.Cert, _ = certificateFiles(t, now, now.Add(time.Hour))
	_, d.config.Admin.TLS.Key = certificateFiles(t, now, now.Add(time.Hour))
	d.lookAtCertificate()
	d.wants(t, problem, "certificate", "does not match")
}

// certificateFiles makes a certificate that is good from begins to ends.
func certificateFiles(t *testing.T, begins, ends time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: begins, NotAfter: ends}
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
