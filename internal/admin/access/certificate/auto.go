package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The files of a self-signed certificate in the directory of Config.Auto, where
// Config.Owner is not set.
const (
	AutoCertName = "admin-cert.pem"
	AutoKeyName  = "admin-key.pem"
)

const (
	autoLifetime = 397 * 24 * time.Hour // what browsers accept at most
	autoRenew    = 30 * 24 * time.Hour  // before the end
	clockSkew    = time.Hour
)

func autoFiles(dir, owner string) (cert, key string) {
	return filepath.Join(dir, owner+"-cert.pem"), filepath.Join(dir, owner+"-key.pem")
}

// makeIfNeeded makes a certificate unless there is one for these names that
// lasts. Files that are there but cannot be used are an error, not replaced:
// somebody may have put them there.
func (s *Source) makeIfNeeded(now time.Time) error {
	_, certErr := os.Stat(s.config.CertFile)
	info, keyErr := os.Stat(s.config.KeyFile)
	if errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist) {
		return s.make(now)
	}
	if err := errors.Join(certErr, keyErr); err != nil {
		return fmt.Errorf("read self-signed certificate: %w (delete %s and %s: new ones are made)", err, s.config.CertFile, s.config.KeyFile)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to others (%v): delete it and %s, new ones are made", s.config.KeyFile, info.Mode(), s.config.CertFile)
	}
	cert, err := tls.LoadX509KeyPair(s.config.CertFile, s.config.KeyFile)
	if err != nil {
		return fmt.Errorf("read self-signed certificate: %w (delete %s and %s: new ones are made)", err, s.config.CertFile, s.config.KeyFile)
	}
	if leaf := leafOf(&cert); leaf != nil && covers(leaf, s.config.Names) && leaf.NotAfter.Sub(now) > autoRenew {
		return nil
	}
	return s.make(now)
}

func covers(leaf *x509.Certificate, names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return leaf.VerifyHostname(n) != nil })
}

// make writes a new pair. A crash between the two leaves a pair that does not
// fit, which the next start says.
func (s *Source) make(now time.Time) error {
	certPEM, keyPEM, err := selfSigned(s.config.Owner, s.config.Names, now)
	if err != nil {
		return fmt.Errorf("make self-signed certificate: %w", err)
	}
	if err := writeWhole(s.config.KeyFile, keyPEM); err != nil {
		return fmt.Errorf("make self-signed certificate: %w", err)
	}
	if err := writeWhole(s.config.CertFile, certPEM); err != nil {
		return fmt.Errorf("make self-signed certificate: %w", err)
	}
	return nil
}

func selfSigned(owner string, names []string, now time.Time) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Holdfast " + owner + ", self-signed"},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(autoLifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	addNames(template, append([]string{"localhost", "127.0.0.1", "::1"}, names...))
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

func addNames(c *x509.Certificate, names []string) {
	for _, n := range names {
		if a, err := netip.ParseAddr(strings.Trim(n, "[]")); err == nil {
			c.IPAddresses = append(c.IPAddresses, net.IP(a.Unmap().AsSlice()))
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
}

// writeWhole writes a file of mode 0600 that is there whole or not at all.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // only the leftover
	}
	return err
}
