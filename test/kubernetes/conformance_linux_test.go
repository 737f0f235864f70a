package kubernetes

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/fault"
	"holdfast/internal/platform/platformtest"
)

func TestConformanceOfADeployment(t *testing.T) {
	t.Parallel()
	platformtest.Run(t, func(t *testing.T) platformtest.Service { return service(t, "Deployment") })
}

func TestConformanceOfAStatefulSet(t *testing.T) {
	t.Parallel()
	platformtest.Run(t, func(t *testing.T) platformtest.Service { return service(t, "StatefulSet") })
}

func service(t *testing.T, kind string) platformtest.Service {
	t.Helper()
	w := newWeb(t, kind)
	door := newDoor(t, w.c.Server)
	cfg := w.config()
	cfg.Kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	file(t, cfg.Kubeconfig, w.c.KubeconfigFor("https://"+door.Addr().String(), w.c.Admin()))
	return platformtest.Service{
		Driver:      newDriver(t, cfg),
		Slowest:     patience,
		SetReplicas: func(t *testing.T, n int) { w.c.Scale(t, kind, w.namespace, "web", n, "argocd-controller") },
		NewVersion:  func(t *testing.T) { w.apply(t, "v2", "web") },
		Remove:      func(t *testing.T) { w.c.Delete(t, kind, w.namespace, "web") },
		Break:       func(t *testing.T) { set(t, door, "blackhole") },
		Restore:     func(t *testing.T) { set(t, door, "") },
		Hold:        func(*testing.T) func() { return w.c.Hold(w.namespace) },
	}
}

func file(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newDoor is a way to the API that can be shut: as a network that loses all
// packets, which nothing tells but time.
func newDoor(t *testing.T, server string) *fault.Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	door, err := fault.New(fault.Config{Listener: l, Upstream: strings.TrimPrefix(server, "https://")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = door.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-over
	})
	return door
}

func set(t *testing.T, door *fault.Proxy, text string) {
	t.Helper()
	var faults []fault.Fault
	if text != "" {
		var err error
		if faults, err = fault.Parse(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := door.Set(faults...); err != nil {
		t.Fatal(err)
	}
}
