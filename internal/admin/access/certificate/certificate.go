// Package certificate holds the TLS side of the listeners: certificate
// files that may be replaced while Holdfast runs, a self-signed certificate for
// first use, and the rule that nothing but TLS leaves this machine.
//
// A Source looks at its files when a client connects, at most every few
// seconds, and takes what changed; there is no goroutine. What cannot be read
// (half written, a key that does not fit) is reported once, and the certificate
// in use stays in use. A self-signed one is renewed a month before it ends; its
// fingerprint then changes, which is reported too.
package certificate

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// Config says where the certificate is. Exactly one of Files and Auto is set.
type Config struct {
	// CertFile and KeyFile are PEM files; the first may hold a chain.
	CertFile, KeyFile string
	// Auto is a directory in which a self-signed certificate is made when it
	// holds none that fits: AutoCertName, AutoKeyName.
	Auto string
	// Owner names the listener in the files and the subject of a self-signed
	// certificate; "" is admin.
	Owner string
	// Names are the host names and addresses of a self-signed certificate
	// besides localhost and the loopback addresses.
	Names []string
	// Report hears of changes and problems while running; it must not wait.
	// Nil: nobody does.
	Report func(Event)
}

// Event says what happened to the certificate.
type Event struct {
	Fingerprint string // of the certificate now in use
	Err         error  // why it was not replaced; nil: it was
}

// checkEvery is how often files are looked at.
const checkEvery = 5 * time.Second

// Source gives certificates to a TLS listener. Safe for concurrent use.
type Source struct {
	config    Config
	mu        sync.Mutex
	cert      *tls.Certificate
	stamps    [2]stamp // of the files cert was read from
	reported  [2]stamp // of the files last complained about
	checked   time.Time
	selfMade  bool
	lastError string
}

type stamp struct {
	size int64
	at   time.Time
	info os.FileInfo
}

// Open reads the certificate, or makes it. The error names the file and what
// to do.
func Open(c Config, now time.Time) (*Source, error) {
	c.Owner = cmp.Or(c.Owner, "admin")
	s := &Source{config: c, checked: now}
	if c.Auto != "" {
		if c.CertFile != "" || c.KeyFile != "" {
			return nil, errors.New("a certificate is either made (auto) or read from files, not both")
		}
		s.selfMade = true
		s.config.CertFile, s.config.KeyFile = autoFiles(c.Auto, c.Owner)
		if err := s.makeIfNeeded(now); err != nil {
			return nil, err
		}
	}
	if s.config.CertFile == "" || s.config.KeyFile == "" {
		return nil, errors.New("a certificate needs both files, certificate and key")
	}
	return s, s.load()
}

// load reads both files and takes them when they belong together.
func (s *Source) load() error {
	stamps := s.stampFiles()
	cert, err := tls.LoadX509KeyPair(s.config.CertFile, s.config.KeyFile)
	if err != nil {
		return fmt.Errorf("read certificate %s and key %s: %w", s.config.CertFile, s.config.KeyFile, err)
	}
	s.cert, s.stamps = &cert, stamps
	return nil
}

func (s *Source) stampFiles() [2]stamp {
	var out [2]stamp
	for i, path := range []string{s.config.CertFile, s.config.KeyFile} {
		if info, err := os.Stat(path); err == nil {
			out[i] = stamp{info.Size(), info.ModTime(), info}
		}
	}
	return out
}

func same(a, b [2]stamp) bool {
	for i := range a {
		if a[i].size != b[i].size || !a[i].at.Equal(b[i].at) || !os.SameFile(a[i].info, b[i].info) {
			return false
		}
	}
	return true
}

// TLS returns the configuration of the listener: TLS 1.2 or newer, HTTP/2.
func (s *Source) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.current(time.Now()), nil },
	}
}

// Fingerprint returns the SHA-256 of the certificate in use, as openssl x509
// -fingerprint -sha256 prints it.
func (s *Source) Fingerprint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fingerprint(s.cert)
}

// Ends returns when the certificate in use ends.
func (s *Source) Ends() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ends(s.cert)
}

func fingerprint(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

func ends(c *tls.Certificate) time.Time {
	if leaf := leafOf(c); leaf != nil {
		return leaf.NotAfter
	}
	return time.Time{}
}

func leafOf(c *tls.Certificate) *x509.Certificate {
	if c.Leaf != nil {
		return c.Leaf
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil
	}
	return leaf
}

// current returns the certificate to use now.
func (s *Source) current(now time.Time) *tls.Certificate {
	s.mu.Lock()
	if now.Sub(s.checked) < checkEvery {
		defer s.mu.Unlock()
		return s.cert
	}
	s.checked = now
	event := s.look(now)
	cert := s.cert
	s.mu.Unlock()
	if event != nil && s.config.Report != nil {
		s.config.Report(*event)
	}
	return cert
}

// look takes changed files. It returns what is worth saying, or nil. Requires
// s.mu; the files are small and local.
func (s *Source) look(now time.Time) *Event {
	var err error
	if s.selfMade {
		err = s.makeIfNeeded(now)
	}
	found := s.stampFiles()
	if err == nil && same(found, s.stamps) {
		s.lastError = ""
		return nil
	}
	before := fingerprint(s.cert)
	if err == nil {
		err = s.load()
	}
	after := fingerprint(s.cert)
	switch {
	case err != nil && err.Error() == s.lastError && same(found, s.reported):
		return nil
	case err != nil:
		s.lastError, s.reported = err.Error(), found
		return &Event{Fingerprint: after, Err: err}
	case after == before:
		return nil
	}
	s.lastError = ""
	return &Event{Fingerprint: after}
}

// CheckListener refuses an address that others can reach without TLS. Key is
// the setting to name, hasTLS says that the listener will speak TLS.
func CheckListener(key string, address net.Addr, hasTLS bool) error {
	if hasTLS || !Exposed(address) {
		return nil
	}
	return fmt.Errorf("%s: %s can be reached from other machines, and tokens would cross the network in the clear: "+
		"set admin.tls.auto (a self-signed certificate) or admin.tls.cert and admin.tls.key, or listen on 127.0.0.1 and put a proxy that speaks TLS in front", key, address)
}

// Exposed reports whether a listener can be reached from other machines. What
// is not understood counts as exposed.
func Exposed(address net.Addr) bool {
	switch a := address.(type) {
	case *net.TCPAddr:
		ip, ok := netip.AddrFromSlice(a.IP)
		return !ok || !ip.Unmap().IsLoopback()
	case *net.UnixAddr:
		return false
	}
	return true
}
