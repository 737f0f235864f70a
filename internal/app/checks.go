package app

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"holdfast/health"
	"holdfast/internal/config"
)

// checkerOf makes the health check of one instance.
func checkerOf(f *config.Function, id, endpoint string) (health.Checker, error) {
	h := f.Health
	target, err := checkTarget(endpoint, h.Port)
	if err != nil {
		return nil, err
	}
	switch h.Type {
	case "tcp":
		return health.NewTCP(health.TCPConfig{Address: target.Host, Timeout: h.Timeout.Std()})
	case "grpc":
		return health.NewGRPC(health.GRPCConfig{Address: target.Host, Service: h.Service, Authority: h.Host, Timeout: h.Timeout.Std()})
	case "exec":
		return health.NewExec(health.ExecConfig{
			Command: h.Command, Timeout: h.Timeout.Std(),
			Env: []string{"HOLDFAST_INSTANCE=" + id, "HOLDFAST_ENDPOINT=" + endpoint},
		})
	default:
		return httpCheck(f, target)
	}
}

func httpCheck(f *config.Function, target *url.URL) (health.Checker, error) {
	h := f.Health
	target.Path, target.RawQuery, _ = strings.Cut(healthPath(f), "?")
	c := health.HTTPConfig{
		URL: target.String(), Method: h.Method, Headers: h.Headers, Host: h.Host, Timeout: h.Timeout.Std(),
		Lenient: h.Type == "auto", Numbers: healthWays(f),
	}
	if !c.Lenient {
		c.Statuses, c.BodyContains = h.Status, h.Body
		for _, text := range h.JSON {
			condition, err := health.ParseCondition(text)
			if err != nil {
				return nil, fmt.Errorf("read health condition: %w", err)
			}
			c.JSON = append(c.JSON, condition)
		}
	}
	return health.NewHTTP(c)
}

// healthPath is the configured path or `health` below the first route.
func healthPath(f *config.Function) string {
	if f.Health.Path != "" {
		return f.Health.Path
	}
	route := f.Routes[0]
	if route.StripPrefix {
		return "/health"
	}
	return strings.TrimSuffix(route.Path, "/") + "/health"
}

// checkTarget returns where to check: the instance, or another port of its host.
func checkTarget(endpoint string, port int) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("read endpoint: %w", err)
	}
	p := u.Port()
	switch {
	case port != 0:
		p = strconv.Itoa(port)
	case p == "" && u.Scheme == "https":
		p = "443"
	case p == "":
		p = "80"
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(u.Hostname(), p)}, nil
}

func checkPolicyOf(f *config.Function) health.Policy {
	h := f.Health
	return health.Policy{
		Interval: h.Interval.Std(), SuspectInterval: min(h.SuspectInterval, h.Interval).Std(),
		Timeout: h.Timeout.Std(), Rise: h.Rise, Fall: h.Fall,
	}
}
