package cli

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/config"
)

const (
	certificatePage  = "operations.md#certificates"
	certificateEnds  = 14 * 24 * time.Hour // that it is good for when it is time to renew it
	certificateRenew = "renew it; the running Holdfast takes the new file by itself"
)

// lookAtCertificates reads those of both listeners. One that Holdfast makes
// itself it also renews, and checks at its start.
func (d *doctor) lookAtCertificates() {
	d.lookAtCertificate("tls", &d.config.TLS, routeHosts(d.config))
	d.lookAtCertificate("admin.tls", &d.config.Admin.TLS, d.config.Admin.Hosts)
}

// routeHosts are the names under which clients ask for functions.
func routeHosts(c *config.Config) (hosts []string) {
	for _, f := range c.Functions {
		for i := range f.Routes {
			if host := f.Routes[i].Host; host != "" {
				hosts = append(hosts, host)
			}
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// lookAtCertificate reads the certificate of key, which clients meet under
// these names among others.
func (d *doctor) lookAtCertificate(key string, t *config.TLS, hosts []string) {
	if t.Cert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		d.add(problem, "certificate", key+": "+err.Error(), key+".cert and key must be PEM files that belong together", certificatePage)
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		d.add(problem, "certificate", t.Cert+": "+err.Error(), "make it anew", certificatePage)
		return
	}
	d.judgeTime(t.Cert, leaf, time.Now())
	d.judgeNames(t.Cert, leaf, hosts)
}

func (d *doctor) judgeTime(file string, leaf *x509.Certificate, now time.Time) {
	left := leaf.NotAfter.Sub(now)
	days := int(left.Hours() / 24)
	switch {
	case left <= 0:
		d.add(problem, "certificate", fmt.Sprintf("%s ended at %s", file, leaf.NotAfter.Local().Format(time.DateTime)), certificateRenew, certificatePage)
	case now.Before(leaf.NotBefore):
		d.add(problem, "certificate", fmt.Sprintf("%s begins at %s", file, leaf.NotBefore.Local().Format(time.DateTime)), "set the clock, or wait", certificatePage)
	case left < certificateEnds:
		d.add(warning, "certificate", fmt.Sprintf("%s ends in %d days", file, days), certificateRenew, certificatePage)
	default:
		d.ok("certificate", "%s is good for %d days", file, days)
	}
}

// judgeNames finds hosts the certificate is not for. The common name does not
// count: clients do not look at it.
func (d *doctor) judgeNames(file string, leaf *x509.Certificate, hosts []string) {
	const fix = "make one for all names that clients use, as subject alternative names"
	if len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		d.add(warning, "certificate", file+" is for no name: clients that check names refuse it", fix, certificatePage)
		return
	}
	var others []string
	for _, host := range hosts {
		if leaf.VerifyHostname(host) != nil {
			others = append(others, host)
		}
	}
	if len(others) > 0 {
		d.add(warning, "certificate", file+" is not for "+strings.Join(others, ", "), fix, certificatePage)
	}
}
