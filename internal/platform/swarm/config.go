package swarm

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"
)

// Config says which service it is and how it is reached.
type Config struct {
	// Host is the engine, a manager of the swarm, in the form of DOCKER_HOST:
	// unix:///PATH or tcp://ADDRESS:PORT. Empty: unix:///var/run/docker.sock.
	Host string
	// TLS is how a tcp engine is spoken to; zero: without TLS.
	TLS TLS
	// Service is the name (or id) of a replicated service that exists.
	Service string
	// Port is the one the instances listen on, in their containers.
	Port int
	// Network is the overlay network on which the tasks are reached; whoever
	// sends requests has to be attached to it too. Empty: on the addresses of
	// their nodes, at the port published with mode=host for Port, or at Port
	// itself where the tasks are on the network of the host.
	Network string
	// Scheme is http or https; empty: http.
	Scheme string
	// ProvenAfter is how long a version has to run on all instances to be
	// preferred for a rollback; 0: 30 s.
	ProvenAfter time.Duration
	// Keep is given what has to be kept over a restart, each time it changed;
	// Kept is what it was last given. It holds templates of the service, with
	// their environment: treat it as a secret. Keep is called from Run and from
	// Rollback, one call at a time. nil: after a restart Rollback knows only the
	// version that the swarm itself remembers, which each scale overwrites.
	Keep func([]byte)
	Kept []byte
}

// TLS are files in PEM.
type TLS struct {
	// CA signed the engine's certificate; empty: an authority of the system.
	CA string
	// Cert and Key are the client's own, both or none.
	Cert, Key string
}

const (
	defaultHost   = "unix:///var/run/docker.sock"
	defaultProven = 30 * time.Second
)

func (c *Config) complete() error {
	if c.Service == "" {
		return errors.New("read service: name the swarm service that runs the instances")
	}
	if c.Port < 1 || c.Port > 65535 {
		return fmt.Errorf("read port %d: it is the one the instances listen on, 1 to 65535", c.Port)
	}
	if c.Host == "" {
		c.Host = defaultHost
	}
	if c.Scheme == "" {
		c.Scheme = "http"
	}
	if c.Scheme != "http" && c.Scheme != "https" {
		return fmt.Errorf("read scheme %q: http or https", c.Scheme)
	}
	if c.ProvenAfter == 0 {
		c.ProvenAfter = defaultProven
	}
	return c.readHost()
}

func (c *Config) readHost() error {
	u, err := url.Parse(c.Host)
	switch {
	case err != nil:
		return fmt.Errorf("read host: %w", err)
	case u.Scheme == "unix" && u.Path != "":
		if c.TLS != (TLS{}) {
			return fmt.Errorf("read host %s: a unix socket is spoken to without TLS, leave its files out", c.Host)
		}
		return nil
	case u.Scheme == "tcp" && u.Hostname() != "" && u.Port() != "":
		return nil
	}
	return fmt.Errorf("read host %q: unix:///PATH or tcp://ADDRESS:PORT", c.Host)
}

func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("read the authority of the engine's certificate: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the authority of the engine's certificate: %s holds no certificate in PEM", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("read the certificate for the engine: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
