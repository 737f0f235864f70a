package swarm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	api "github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
)

// engine is a manager of the swarm, as far as one service goes.
type engine struct {
	client  *client.Client
	http    *http.Client // the same engine, for what the client would not leave as it is
	base    string       // of its URLs
	host    string       // as people write it
	service string
}

const (
	askLimit  = 5 * time.Second // for one question
	answerMax = 16 << 20
	connsKept = 4
)

func connect(c *Config) (*engine, error) {
	u, err := client.ParseHostURL(c.Host)
	if err != nil {
		return nil, fmt.Errorf("read host: %w", err)
	}
	transport := &http.Transport{MaxIdleConns: connsKept, IdleConnTimeout: askLimit * 6}
	base := "http://docker"
	var dialer net.Dialer
	if u.Scheme == "unix" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", u.Host)
		}
	} else {
		transport.DialContext = dialer.DialContext
		base = "http://" + u.Host + u.Path
	}
	if c.TLS != (TLS{}) {
		if transport.TLSClientConfig, err = c.TLS.config(); err != nil {
			return nil, err
		}
		base = "https://" + u.Host + u.Path
	}
	plain := &http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}
	cli, err := client.New(client.WithHTTPClient(plain), client.WithHost(c.Host))
	if err != nil {
		return nil, fmt.Errorf("read host: %w", err)
	}
	return &engine{client: cli, http: plain, base: base, host: c.Host, service: c.Service}, nil
}

func (e *engine) close() {
	_ = e.client.Close() // idle connections: nothing is lost with them
	e.http.CloseIdleConnections()
}

// service is a service as the engine told it.
type service struct {
	api.Service
	// spec and previous are what the engine wrote, to the last field.
	spec, previous json.RawMessage
}

// inspect reads the service. Its error is for people.
func (e *engine) inspect(ctx context.Context) (*service, error) {
	ctx, stop := context.WithTimeout(ctx, askLimit)
	defer stop()
	r, err := e.client.ServiceInspect(ctx, e.service, client.ServiceInspectOptions{})
	if err != nil {
		return nil, e.explain(err)
	}
	var raw struct{ Spec, PreviousSpec json.RawMessage }
	if err := json.Unmarshal(r.Raw, &raw); err != nil {
		return nil, fmt.Errorf("read service %s: %w", e.service, err)
	}
	return &service{Service: r.Service, spec: raw.Spec, previous: raw.PreviousSpec}, nil
}

// update replaces the spec of a service if its version is still index, else the
// error is errStale. Others are for people.
func (e *engine) update(ctx context.Context, id string, index uint64, spec json.RawMessage) error {
	ctx, stop := context.WithTimeout(ctx, askLimit)
	defer stop()
	query := url.Values{"version": {strconv.FormatUint(index, 10)}, "registryAuthFrom": {string(api.RegistryAuthFromSpec)}}
	address := e.base + "/v" + e.client.ClientVersion() + "/services/" + url.PathEscape(id) + "/update?" + query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(spec))
	if err != nil {
		return fmt.Errorf("update service %s: %w", e.service, err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := e.http.Do(r)
	if err != nil {
		return e.explain(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerMax))
	if err != nil {
		return e.explain(err)
	}
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return e.explain(refused(answer.StatusCode, text))
}

// tasks lists the tasks of a service, those that are over too.
func (e *engine) tasks(ctx context.Context, id string) ([]api.Task, error) {
	ctx, stop := context.WithTimeout(ctx, askLimit)
	defer stop()
	r, err := e.client.TaskList(ctx, client.TaskListOptions{Filters: make(client.Filters).Add("service", id)})
	if err != nil {
		return nil, e.explain(err)
	}
	return r.Items, nil
}

// nodes returns the addresses of nodes by their id.
func (e *engine) nodes(ctx context.Context) (map[string]string, error) {
	ctx, stop := context.WithTimeout(ctx, askLimit)
	defer stop()
	r, err := e.client.NodeList(ctx, client.NodeListOptions{})
	if err != nil {
		return nil, e.explain(err)
	}
	out := make(map[string]string, len(r.Items))
	for n := range r.Items {
		out[r.Items[n].ID] = nodeAddress(&r.Items[n])
	}
	return out, nil
}

// nodeAddress is empty where the swarm knows none. A manager that was told to
// listen everywhere has 0.0.0.0 for itself, and its address among managers.
func nodeAddress(n *api.Node) string {
	if ip := net.ParseIP(n.Status.Addr); ip != nil && !ip.IsUnspecified() {
		return n.Status.Addr
	}
	if n.ManagerStatus != nil {
		if host, _, err := net.SplitHostPort(n.ManagerStatus.Addr); err == nil {
			return host
		}
	}
	return ""
}
