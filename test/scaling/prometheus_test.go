package scaling_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

const prometheusConfiguration = `
log: {access: off}
functions:
  work:
    routes: [{path: /}]
    health: {path: /health, interval: 1s}
    scaling:
      enabled: true
      max_instances: 5
      signals: {wanted: {prometheus: {url: %q, query: 'holdfast_scaling_max_instances{function="work"} * 2', interval: 200ms}}}
      targets: {wanted: 4, in_flight: 100}
      down: {hold: 0, rates: [{percent: 100, per: 1s}]}
    platform: {process: {command: [%q, health-of, %q, '{port}']}}
`

// TestARealPrometheusThatScrapesHoldfastScalesIt: the number comes from
// Holdfast's own metrics, by way of a real Prometheus; without it nothing goes.
func TestARealPrometheusThatScrapesHoldfastScalesIt(t *testing.T) {
	need.Plain(t)
	path := need.Command(t, "prometheus")
	t.Parallel()
	dir := t.TempDir()
	b := backlog{t, filepath.Join(dir, "health.json")}
	b.says("{}")
	url, stop := prometheus(t, path, dir)
	p := upWith(t, fmt.Sprintf(prometheusConfiguration, url, os.Args[0], b.file))
	holdfast.Poll(t, 60*time.Second, "a decision without the signal", func() bool {
		var v view
		return v.of(p) && v.missing("custom:wanted")
	})
	targets := backlog{t, filepath.Join(dir, "targets.json")}
	targets.says(fmt.Sprintf(`[{"targets": [%q]}]`, strings.TrimPrefix(p.Admin, "http://")))
	awaitReady(t, p, 3, 120*time.Second) // 5 * 2 / 4

	stop()
	var v view
	holdfast.Poll(t, 60*time.Second, "a decision without Prometheus", func() bool { return v.of(p) && v.missing("custom:wanted") })
	if v.Latest.Result != 3 || !v.constrained("missing") {
		t.Errorf("%+v: want 3 instances, because nobody knows", v.Latest)
	}
}

// prometheus starts one that scrapes what stands in targets.json of a directory.
func prometheus(t *testing.T, path, dir string) (url string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	file := filepath.Join(dir, "prometheus.yml")
	text := "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: holdfast, file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = c.Process.Kill() // it may have ended by itself
			_ = c.Wait()
		}
	}
	t.Cleanup(stop)
	url = "http://" + address
	holdfast.Poll(t, 60*time.Second, "Prometheus", func() bool {
		res, err := http.Get(url + "/-/ready")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return url, stop
}
