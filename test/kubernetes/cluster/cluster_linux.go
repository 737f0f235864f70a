package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"holdfast/test/need"
)

// Cluster is a control plane with one node.
type Cluster struct {
	// Server is the API's URL, Kubeconfig the file of an administrator.
	Server, Kubeconfig string
	// Objects is the client of that administrator.
	Objects dynamic.Interface

	dir      string
	net      string // 198.18.N
	programs string
	etcd     *program
	server   *program
	managers *program
	agent    *agent
	metrics  *metricsServer
}

// shared is the cluster of this test binary.
var shared struct {
	sync.Mutex
	started bool
	cluster *Cluster
	err     error
}

// Shared returns the cluster of this test binary, started when it is first
// asked for. TestMain ends it with End.
func Shared(tb testing.TB) *Cluster {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.started {
		etcd := need.Command(tb, "etcd")
		need.Command(tb, "ip")
		if os.Geteuid() != 0 {
			need.Missing(tb, "only root can give this machine the addresses of pods")
		}
		programs, err := built()
		if err != nil {
			need.Missing(tb, err.Error())
		}
		shared.started = true
		shared.cluster, shared.err = start(etcd, programs)
	}
	if shared.err != nil {
		tb.Fatalf("start a Kubernetes cluster: %v", shared.err)
	}
	return shared.cluster
}

// End ends the shared cluster, if there is one.
func End() {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		shared.cluster.stop()
		shared.cluster = nil
	}
}

// built asks scripts/kubernetes.sh where the programs are.
func built() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "holdfast").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	out, err := exec.Command(filepath.Join(strings.TrimSpace(string(root)), "scripts/kubernetes.sh"), "find").Output()
	if err != nil {
		return "", errors.New("the Kubernetes control plane is not built (scripts/kubernetes.sh does it, in some minutes)")
	}
	return strings.TrimSpace(string(out)), nil
}

func start(etcd, programs string) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "hf-kube-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, programs: programs}
	if err := c.begin(etcd); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) begin(etcd string) error {
	if err := c.takeAddresses(); err != nil {
		return err
	}
	c.Server = "https://" + c.net + ".1:6443"
	if err := c.makeCertificates(); err != nil {
		return err
	}
	store := "http://" + c.net + ".1:2379"
	var err error
	c.etcd, err = run(c.dir, etcd, "--data-dir", filepath.Join(c.dir, "etcd"), "--listen-client-urls", store,
		"--advertise-client-urls", store, "--listen-peer-urls", "http://"+c.net+".1:2380",
		"--initial-advertise-peer-urls", "http://"+c.net+".1:2380", "--initial-cluster", "default=http://"+c.net+".1:2380",
		"--log-level", "error")
	if err != nil {
		return err
	}
	if err := c.StartServer(); err != nil {
		return err
	}
	if err := c.startManagers(); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	if c.agent, err = newAgent(c); err != nil {
		return err
	}
	c.metrics, err = serveMetrics(c)
	return err
}

// takeAddresses finds a network that no other run of tests has.
func (c *Cluster) takeAddresses() error {
	var err error
	for n := range 250 {
		c.net = fmt.Sprintf("198.18.%d", 1+(os.Getpid()+n)%250)
		var out []byte
		out, err = exec.Command("ip", "route", "add", "local", c.net+".0/24", "dev", "lo").CombinedOutput()
		if err == nil {
			return nil
		}
		err = fmt.Errorf("add a local route to %s.0/24: %w: %s", c.net, err, out)
		c.net = ""
	}
	return err
}

func (c *Cluster) file(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) makeCertificates() error {
	ca, err := newAuthority(c.dir)
	if err != nil {
		return err
	}
	if err := errors.Join(ca.server("server", c.net+".1", c.net+".250", "127.0.0.1"), ca.client("admin", "admin", "system:masters"),
		ca.client("proxy", "aggregator"), ca.client("accounts", "accounts")); err != nil {
		return err
	}
	c.Kubeconfig = c.file("kubeconfig")
	return os.WriteFile(c.Kubeconfig, []byte(c.KubeconfigFor(c.Server, c.Admin())), 0o600)
}

// Admin is the credentials of the administrator.
func (c *Cluster) Admin() string {
	return fmt.Sprintf("client-certificate-data: %s, client-key-data: %s", c.inline("admin.crt"), c.inline("admin.key"))
}

// inline is a file as kubeconfigs hold it. (Files that they name are watched by
// goroutines that never end.)
func (c *Cluster) inline(name string) string {
	text, err := os.ReadFile(c.file(name))
	if err != nil {
		panic(err) // it was written at the start
	}
	return base64.StdEncoding.EncodeToString(text)
}

// KubeconfigFor is a kubeconfig for a user with such credentials.
func (c *Cluster) KubeconfigFor(server, user string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: test, user: {%s}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
`, server, c.inline("ca.crt"), user)
}

// StartServer starts the API server, again after KillServer, and returns when
// it is ready.
func (c *Cluster) StartServer() error {
	var err error
	c.server, err = run(c.dir, filepath.Join(c.programs, "kube-apiserver"),
		"--etcd-servers", "http://"+c.net+".1:2379", "--bind-address", c.net+".1", "--advertise-address", c.net+".1", "--secure-port", "6443",
		"--tls-cert-file", "server.crt", "--tls-private-key-file", "server.key", "--client-ca-file", "ca.crt",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-signing-key-file", "accounts.key",
		"--service-account-key-file", "accounts.crt", "--service-cluster-ip-range", c.net+".128/25",
		"--requestheader-client-ca-file", "ca.crt", "--proxy-client-cert-file", "proxy.crt", "--proxy-client-key-file", "proxy.key",
		"--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-",
		"--requestheader-allowed-names", "aggregator", "--authorization-mode", "RBAC", "--endpoint-reconciler-type", "none", "--profiling=false",
		// What these do needs etcd 3.5.
		"--feature-gates", "SizeBasedListCostEstimate=false,ListFromCacheSnapshot=false,DetectCacheInconsistency=false")
	if err != nil {
		return err
	}
	return c.server.ready(c.Server+"/readyz", c.file("ca.crt"))
}

// KillServer ends the API server at once.
func (c *Cluster) KillServer() { c.server.kill() }

func (c *Cluster) startManagers() error {
	var err error
	c.managers, err = run(c.dir, filepath.Join(c.programs, "kube-controller-manager"), "--kubeconfig", "kubeconfig",
		"--leader-elect=false", "--bind-address", c.net+".1", "--secure-port", "10257", "--cert-dir", c.dir,
		"--service-account-private-key-file", "accounts.key", "--root-ca-file", "ca.crt",
		"--kube-api-qps", "200", "--kube-api-burst", "400", "--profiling=false", "--controllers",
		"deployment-controller,replicaset-controller,statefulset-controller,endpointslice-controller,disruption-controller,"+
			"horizontal-pod-autoscaler-controller,garbage-collector-controller,serviceaccount-controller,"+
			"root-ca-certificate-publisher-controller,namespace-controller")
	return err
}

func (c *Cluster) connect() error {
	cfg, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	cfg.QPS = -1
	c.Objects, err = dynamic.NewForConfig(cfg)
	return err
}

func (c *Cluster) stop() {
	if c.metrics != nil {
		c.metrics.stop()
	}
	if c.agent != nil {
		c.agent.stop()
	}
	for _, p := range []*program{c.managers, c.server, c.etcd} {
		if p != nil {
			p.kill()
		}
	}
	if c.net != "" {
		_ = exec.Command("ip", "route", "del", "local", c.net+".0/24", "dev", "lo").Run()
	}
	_ = os.RemoveAll(c.dir)
}

// program is a part of the control plane.
type program struct {
	cmd  *exec.Cmd
	log  string // file
	done chan struct{}
}

func run(dir, path string, args ...string) (*program, error) {
	p := &program{cmd: exec.Command(path, args...), log: filepath.Join(dir, filepath.Base(path)+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// startLimit is how long a part may take on a busy machine.
const startLimit = 3 * time.Minute

// ready waits until url answers with 200.
func (p *program) ready(url, ca string) error {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for {
		if r, err := client.Get(url); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", p.cmd.Path, tail(p.log))
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready after %s: %s", p.cmd.Path, startLimit, tail(p.log))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func tail(file string) string {
	text, _ := os.ReadFile(file)
	return string(text[max(0, len(text)-4000):])
}

// PodLog is what a pod's process wrote last.
func (c *Cluster) PodLog(name string) string { return tail(c.file("pod-" + name + ".log")) }

// Log is what the parts of the control plane wrote last, for a test that failed.
func (c *Cluster) Log() string {
	return tail(c.server.log) + "\n" + tail(c.managers.log)
}
