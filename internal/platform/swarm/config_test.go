package swarm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"holdfast/internal/platform/swarm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAConfigurationThatCannotBeIsRefusedWithTheWayOut(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := swarm.Config{Service: "web", Port: 80}
	for _, x := range []struct {
		says   string
		change func(c *swarm.Config)
	}{
		{"name the swarm service", func(c *swarm.Config) { c.Service = "" }},
		{"read port 0", func(c *swarm.Config) { c.Port = 0 }},
		{"read port 65536", func(c *swarm.Config) { c.Port = 65536 }},
		{`read scheme "ftp": http or https`, func(c *swarm.Config) { c.Scheme = "ftp" }},
		{`read host "ssh://box": unix:///PATH or tcp://ADDRESS:PORT`, func(c *swarm.Config) { c.Host = "ssh://box" }},
		{`read host "tcp://box"`, func(c *swarm.Config) { c.Host = "tcp://box" }},
		{`read host "unix://"`, func(c *swarm.Config) { c.Host = "unix://" }},
		{"without TLS, leave its files out", func(c *swarm.Config) { c.TLS.CA = empty }},
		{"holds no certificate in PEM", func(c *swarm.Config) { c.Host, c.TLS.CA = "tcp://box:2376", empty }},
		{"no such file", func(c *swarm.Config) { c.Host, c.TLS.Cert, c.TLS.Key = "tcp://box:2376", empty+".no", empty+".no" }},
		{"read the versions that were kept", func(c *swarm.Config) { c.Kept = []byte("{") }},
	} {
		c := good
		x.change(&c)
		if _, err := swarm.New(c); err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("New(%+v) ends with %v, which does not say %q", c, err, x.says)
		}
	}
	for _, host := range []string{"", "unix:///run/docker.sock", "tcp://10.0.0.1:2375", "tcp://box:2376"} {
		c := good
		c.Host = host
		if _, err := swarm.New(c); err != nil {
			t.Errorf("host %q: %v", host, err)
		}
	}
}
