package postgres_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/internal/store/postgres"
)

// FuzzAddress reads addresses of the store, which come from files, the
// environment and secrets. No complaint may hold the password, and what is let
// through reaches no other machine without TLS, in whichever way the driver
// would try.
func FuzzAddress(f *testing.F) {
	for _, text := range []string{
		"postgres://u:%s@h/db", "postgres://u:%s@h:1,i:2/db?sslmode=require", "host=h password=%s sslmode=prefer", "host=a,/run user=u password='%s'",
		"postgresql:///db?host=10.0.0.1&password=%s&sslmode=allow", "postgres://u:%s@[::1]/x", "host=@x password=%s", "postgres://u:%s@localhost/x?host=h", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file") || strings.Contains(text, "cert") || strings.Contains(text, "sslkey") {
			t.Skip("the driver would read a file")
		}
		address := strings.ReplaceAll(text, "%s", canary)
		err := postgres.CheckTLS(address)
		if err != nil && strings.Contains(err.Error(), canary) {
			if c, parsed := pgconn.ParseConfig(address); parsed != nil || !strings.Contains(c.Host, canary) {
				t.Fatalf("%q: the complaint holds the password: %v", address, err)
			}
		}
		if err != nil {
			return
		}
		c, err := pgconn.ParseConfig(address)
		if err != nil {
			t.Fatalf("%q was let through, but it is no address: %v", address, err)
		}
		if c.TLSConfig == nil && !onThisMachine(c.Host) {
			t.Errorf("%q goes to %s without TLS", address, c.Host)
		}
		for _, other := range c.Fallbacks {
			if other.TLSConfig == nil && !onThisMachine(other.Host) {
				t.Errorf("%q can go to %s without TLS", address, other.Host)
			}
		}
	})
}

// onThisMachine asks the operating system's rules, not the product's.
func onThisMachine(host string) bool {
	network, _ := pgconn.NetworkAddress(host, 5432)
	a, err := netip.ParseAddr(host)
	return network == "unix" || host == "localhost" || err == nil && a.Unmap().IsLoopback()
}
