package holdfast

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/admin/access/certificate"
)

// Certificate makes a certificate for localhost and 127.0.0.1, with the pool
// that knows it.
func Certificate(tb testing.TB) (cert, key string, roots *x509.CertPool) {
	tb.Helper()
	dir := tb.TempDir()
	if _, err := certificate.Open(certificate.Config{Auto: dir}, time.Now()); err != nil {
		tb.Fatal(err)
	}
	cert, key = filepath.Join(dir, certificate.AutoCertName), filepath.Join(dir, certificate.AutoKeyName)
	text, err := os.ReadFile(cert)
	if err != nil {
		tb.Fatal(err)
	}
	roots = x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		tb.Fatalf("%s holds no certificate", cert)
	}
	return cert, key, roots
}
