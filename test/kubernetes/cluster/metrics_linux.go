package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// metricsServer serves metrics.k8s.io/v1beta1 for the pods of the node, as
// metrics-server does, behind the API server's aggregation. What pods use is
// measured; only the packaging is the test's.
type metricsServer struct {
	agent  *agent
	server *http.Server
	work   sync.WaitGroup
	end    func()

	mu   sync.Mutex
	seen map[types.UID]usage
}

// usage is what a process has used.
type usage struct {
	at     time.Time
	pid    int64
	cpu    time.Duration // in all
	rate   float64       // cores
	memory int64         // bytes
}

const metricsManifest = `
apiVersion: v1
kind: Service
metadata: {name: metrics-server, namespace: kube-system}
spec: {clusterIP: ADDRESS, ports: [{name: https, port: 443, targetPort: 443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: metrics-server, namespace: kube-system, labels: {kubernetes.io/service-name: metrics-server}}
addressType: IPv4
ports: [{name: https, port: 443, protocol: TCP}]
endpoints: [{addresses: [ADDRESS], conditions: {ready: true}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  insecureSkipTLSVerify: true
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {name: metrics-server, namespace: kube-system, port: 443}
`

// serveMetrics serves on the address of a Service, which is this machine's.
func serveMetrics(c *Cluster) (*metricsServer, error) {
	address := c.net + ".250"
	listener, err := net.Listen("tcp", address+":443")
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	m := &metricsServer{agent: c.agent, end: end, seen: map[types.UID]usage{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1", m.discover)
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods", m.pods)
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	m.work.Go(func() { _ = m.server.ServeTLS(listener, c.file("server.crt"), c.file("server.key")) })
	m.work.Go(func() { m.measure(ctx) })
	if err := c.apply(ctx, "kube-system", strings.ReplaceAll(metricsManifest, "ADDRESS", address)); err != nil {
		m.stop()
		return nil, fmt.Errorf("register the metrics server: %w", err)
	}
	return m, nil
}

func (m *metricsServer) stop() {
	m.end()
	_ = m.server.Close()
	m.work.Wait()
}

func (m *metricsServer) discover(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, map[string]any{
		"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.k8s.io/v1beta1",
		"resources": []any{map[string]any{
			"name": "pods", "singularName": "pod", "namespaced": true, "kind": "PodMetrics", "verbs": []string{"get", "list"},
		}},
	})
}

func (m *metricsServer) pods(w http.ResponseWriter, r *http.Request) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	items := []any{}
	for _, p := range m.agent.running() {
		m.mu.Lock()
		u, ok := m.seen[p.uid]
		m.mu.Unlock()
		if !ok || p.namespace != r.PathValue("namespace") || !selector.Matches(labels.Set(p.labels)) {
			continue
		}
		items = append(items, map[string]any{
			"metadata":  map[string]any{"name": p.name, "namespace": p.namespace},
			"timestamp": u.at.UTC().Format(time.RFC3339), "window": measureEvery.String(),
			"containers": []any{map[string]any{"name": p.spec.Containers[0].Name, "usage": map[string]any{
				"cpu": fmt.Sprintf("%dn", int64(u.rate*1e9)), "memory": fmt.Sprintf("%dKi", u.memory>>10),
			}}},
		})
	}
	answerJSON(w, map[string]any{"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": map[string]any{}, "items": items})
}

func answerJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

const measureEvery = 500 * time.Millisecond

func (m *metricsServer) measure(ctx context.Context) {
	for ctx.Err() == nil {
		wait(ctx, measureEvery)
		next := map[types.UID]usage{}
		for _, p := range m.agent.running() {
			m.mu.Lock()
			before := m.seen[p.uid]
			m.mu.Unlock()
			now, ok := usageOf(p.pid.Load())
			if !ok {
				continue
			}
			if before.pid == now.pid { // the first sample of a process has no rate yet
				now.rate = (now.cpu - before.cpu).Seconds() / now.at.Sub(before.at).Seconds()
			}
			next[p.uid] = now
		}
		m.mu.Lock()
		m.seen = next
		m.mu.Unlock()
	}
}

// usageOf reads what a process has used; the clock of /proc ticks 100 times a
// second.
func usageOf(pid int64) (usage, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if pid == 0 || err != nil {
		return usage{}, false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 22 {
		return usage{}, false
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		return n
	}
	return usage{
		at: time.Now(), pid: pid, cpu: time.Duration(number(11)+number(12)) * 10 * time.Millisecond,
		memory: number(21) * int64(os.Getpagesize()),
	}, true
}
