package postgres

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errAddress does not quote the address, nor the parser: either may hold the password, and of an address that cannot be
// parsed nobody can say where it is.
var errAddress = errors.New("parse the address of PostgreSQL: expected postgres://user:password@host:5432/database?sslmode=verify-full, " +
	"or the form host=... user=...; letters like @ : / # % in a password are written as %40 %3A %2F %23 %25; " +
	"sslmode is one of disable, allow, prefer, require, verify-ca, verify-full; certificate files must be readable")

func parse(address string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, errAddress
	}
	return cfg, nil
}

// CheckTLS returns an error when an address names a server on another machine that would be, or could be, spoken to
// without TLS. It takes the environment (PGSSLMODE) into account like Open does. sslmode must be require, verify-ca or
// verify-full; "prefer", which is what counts when nothing is said, gives in to whoever removes the offer of TLS.
func CheckTLS(address string) error {
	cfg, err := parse(address)
	if err != nil {
		return err
	}
	c := cfg.ConnConfig
	targets := []target{{c.Host, c.TLSConfig}}
	for _, f := range c.Fallbacks {
		targets = append(targets, target{f.Host, f.TLSConfig})
	}
	for _, t := range targets {
		if t.tls == nil && !local(t.host) {
			return fmt.Errorf("the store on %s could be reached without TLS: add sslmode=verify-full (or verify-ca, require) to its address", t.host)
		}
	}
	return nil
}

// target is one of the ways the driver would try, in order.
type target struct {
	host string
	tls  *tls.Config
}

// local reports whether a host is this machine: a unix socket, a loopback address, or localhost. A name that begins with @
// is none: the driver knows no abstract sockets and would ask the network for it.
func local(host string) bool {
	ip := net.ParseIP(host)
	return strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
}

// secrets lists what must not be shown.
func secrets(c *pgx.ConnConfig) []string {
	if c.Password == "" {
		return nil
	}
	return []string{c.Password}
}

// oneLine returns err with the ways that were tried in vain on one line, each once: with and without TLS they fail alike.
func oneLine(err error) error {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' })
	if len(lines) < 2 {
		return err
	}
	var tried []string
	for _, line := range lines[1:] {
		if line = strings.TrimSpace(line); !slices.Contains(tried, line) {
			tried = append(tried, line)
		}
	}
	return &retold{lines[0] + " " + strings.Join(tried, "; "), err}
}

// retold is an error with another text.
type retold struct {
	text string
	err  error
}

func (r *retold) Error() string { return r.text }
func (r *retold) Unwrap() error { return r.err }

// hide returns err, or an error without its text's secrets. That one has lost its causes: they hold the text as well.
func hide(err error, secrets []string) error {
	text := err.Error()
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "*****")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
