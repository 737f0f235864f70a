//go:build linux

package peer_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/bench/gateway/peer"
	"holdfast/test/need"
)

// Caddy is not among them: nobody should have to build it to run the tests.
func TestTheProxiesOfDebianServeEveryRoute(t *testing.T) {
	t.Parallel()
	programs := peer.Programs{HAProxy: need.Command(t, "haproxy"), Nginx: need.Command(t, "nginx")}
	ports, err := peer.FreePorts(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	dir := open(t)
	at := []string{local(ports[0]), local(ports[1])}
	backend, err := programs.Backend(t.Context(), filepath.Join(dir, "backend"), 1, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Stop)
	for i, name := range []string{peer.HAProxy, peer.Nginx} {
		p, err := programs.Start(t.Context(), name, peer.Topology{
			Dir: filepath.Join(dir, name), Threads: 1, Listen: local(ports[2+i]), Connections: 100,
			Routes: []peer.Route{{Path: "/a/", Instances: at}, {Path: "/b/", Instances: at[1:]}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
		for _, path := range []string{"/a/x", "/b/x"} {
			if n := get(t, "http://"+p.Listen+path); n != peer.SmallSize {
				t.Errorf("%s%s: %d bytes", name, path, n)
			}
		}
		if d, err := p.CPU(); err != nil || d < 0 {
			t.Error(name, d, err)
		}
		if n, err := p.Memory(); err != nil || n < 1<<20 {
			t.Error(name, n, err)
		}
	}
}

func TestAProxyThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	programs := peer.Programs{HAProxy: need.Command(t, "haproxy")}
	started := time.Now()
	_, err := programs.Start(t.Context(), peer.HAProxy, peer.Topology{
		Dir: t.TempDir(), Threads: 1, Listen: "127.0.0.1:notaport", Connections: 10, Routes: []peer.Route{{Path: "/"}},
	})
	if err == nil || !strings.Contains(err.Error(), "notaport") || time.Since(started) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(started))
	}
}

// open returns a directory that the workers of nginx, who are somebody else
// when root starts them, can reach.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer-") //nolint:usetesting // the parents of t.TempDir are closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func local(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

func get(t *testing.T, url string) int {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status, err)
	}
	return len(body)
}
