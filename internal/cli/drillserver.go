package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"holdfast/drill"
	"holdfast/internal/admin"
)

// drillServer is a running Holdfast as a drill sees it.
type drillServer struct {
	*client

	local bool // it runs on this machine, so its process ids mean something
}

func newDrillServer(g *global) *drillServer {
	s := &drillServer{client: newClient(g), local: g.url == ""}
	if u, err := url.Parse(g.url); err == nil && g.url != "" {
		s.local = ownAddress(u.Hostname())
	}
	return s
}

// ownAddress says that a host is this machine.
func ownAddress(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return false
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return ip.IsLoopback()
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
			return true
		}
	}
	return ip.IsLoopback()
}

// read is get with a query.
func (s *drillServer) read(ctx context.Context, path string, q url.Values, v any) error {
	b, err := s.ask(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	return nil
}

// State implements drill.Server.
func (s *drillServer) State(ctx context.Context, function string) (*drill.State, error) {
	var f admin.FunctionStatus
	var list admin.Instances
	var own admin.OwnHealth
	if err := s.read(ctx, escaped("functions", function), nil, &f); err != nil {
		return nil, err
	}
	if err := s.read(ctx, "instances", query("function", function), &list); err != nil {
		return nil, err
	}
	if err := s.read(ctx, "health", nil, &own); err != nil {
		return nil, err
	}
	out := &drill.State{
		Exchanges: f.Exchanges, Attempts: f.Attempts, Goroutines: own.Goroutines, Files: own.OpenFiles,
		RSS: int64(own.RSSBytes), //nolint:gosec // of a process
	}
	if f.Platform != nil {
		out.Wanted = f.Platform.Desired
	}
	if own.Store != nil {
		out.Store = own.Store.State
	}
	for i := range list.Instances {
		out.Instances = append(out.Instances, s.instance(&list.Instances[i]))
	}
	return out, nil
}

func (s *drillServer) instance(i *admin.Instance) drill.Instance {
	out := drill.Instance{ID: i.ID, Active: i.Status == "active" && !i.Ejected, Ejected: i.Ejected, Picks: i.Picks, Weight: i.EffectiveWeight}
	if u, err := url.Parse(i.Endpoint); err == nil {
		out.Address = u.Host
		out.Local = s.local && ownAddress(u.Hostname())
	}
	if i.Process != nil && out.Local {
		out.PID = i.Process.PID
	}
	return out
}

// Events implements drill.Server.
func (s *drillServer) Events(ctx context.Context, since uint64) ([]drill.Event, uint64, error) {
	var v admin.Events
	if err := s.read(ctx, "events", query("since", fmt.Sprint(since)), &v); err != nil {
		return nil, 0, err
	}
	list := make([]drill.Event, len(v.Events))
	for i := range v.Events {
		e := &v.Events[i]
		list[i] = drill.Event{At: e.At, Kind: string(e.Kind), Function: e.Function, Instance: e.Instance, From: e.From, To: e.To, Text: e.Reason}
	}
	return list, v.Last, nil
}

const drillReason = "holdfast drill"

// Order implements drill.Server.
func (s *drillServer) Order(ctx context.Context, o drill.Order) error {
	var err error
	key := "functions." + o.Function + "." + o.Path
	switch {
	case o.Kind == drill.Scale:
		err = s.scale(ctx, &o)
	case o.Kind == drill.Drain:
		method := http.MethodPut
		if o.Undo {
			method = http.MethodDelete
		}
		_, err = s.ask(ctx, method, escaped("functions", o.Function, "instances", o.Instance)+"/drain", nil, admin.Reason{Reason: drillReason})
	case o.Kind == drill.Set && o.Undo:
		_, err = s.ask(ctx, http.MethodDelete, "config/values", query("path", key), nil)
	case o.Kind == drill.Set:
		err = s.set(ctx, key, o.Text)
	default:
		err = fmt.Errorf("%w: %s is no order", drill.ErrRefused, o.Kind)
	}
	if answer, ok := errors.AsType[*answerError](err); ok && answer.refuses(o.Undo) && !errors.Is(err, drill.ErrRefused) {
		return fmt.Errorf("%w: %w", drill.ErrRefused, err)
	}
	return err
}

// refuses says that what was asked for cannot be, now or later: it is not the
// server that is in trouble or in a hurry. Whoever may not take an order back
// any more has not taken it back.
func (e *answerError) refuses(undo bool) bool {
	switch e.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	case http.StatusUnauthorized, http.StatusForbidden:
		return !undo
	}
	return e.status >= 400 && e.status < 500
}

// set refuses keys that somebody has set: they could not be given back. Until
// that is known, nothing was done.
func (s *drillServer) set(ctx context.Context, key, text string) error {
	values, err := s.values(ctx, key)
	if err != nil {
		return fmt.Errorf("%w: %w", drill.ErrRefused, err)
	}
	for _, v := range values {
		if v.Origin == "override" {
			return fmt.Errorf("%w: %s is set through the API; take that back first: holdfast config unset %s", drill.ErrRefused, key, key)
		}
	}
	value, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return fmt.Errorf("%w: value: %w", drill.ErrRefused, err)
	}
	_, err = s.ask(ctx, http.MethodPut, "config/values", nil, admin.ConfigOverride{Path: key, Value: json.RawMessage(value)})
	return err
}

func (s *drillServer) values(ctx context.Context, key string) ([]admin.ConfigValue, error) {
	var v admin.ConfigValues
	if err := s.read(ctx, "config/values", query("path", key), &v); err != nil {
		return nil, err
	}
	return v.Values, nil
}

// value is that of one key, "" when it has none.
func (s *drillServer) value(ctx context.Context, key string) (text string, err error) {
	list, err := s.values(ctx, key)
	if err != nil {
		return "", err
	}
	for _, v := range list {
		if v.Path == key {
			return text, yaml.Unmarshal([]byte(v.Value), &text)
		}
	}
	return "", nil
}

var (
	errNoFunction   = errors.New("the running Holdfast has no function")
	errGateway      = errors.New("where do requests go? the configuration does not say it: give --gateway http://HOST:PORT")
	errElsewhereRun = errors.New("a drill puts load on installations of your own only: the host of --gateway must be an address of this machine or of a private network")
)

// config asks the running Holdfast for what the flags leave open.
func (f *drillFlags) config(c *cobra.Command, g *global) (drill.Config, error) {
	ctx, stop := context.WithTimeout(c.Context(), drillTime)
	defer stop()
	s := newDrillServer(g)
	out := drill.Config{Server: s, Gateway: strings.TrimSuffix(f.gateway, "/"), Path: f.path, Ledger: f.ledger, LedgerPath: f.ledgerPath}
	var err error
	if out.Function, err = f.chosen(ctx, s); err != nil {
		return out, err
	}
	if out.Gateway == "" {
		if out.Gateway, err = s.gateway(ctx); err != nil {
			return out, err
		}
	}
	if err := ownGateway(out.Gateway); err != nil {
		return out, err
	}
	if out.Path == "" {
		if out.Path, err = s.value(ctx, "functions."+out.Function+".routes[0].path"); err != nil {
			return out, err
		}
	}
	if out.LedgerPath == "" {
		out.LedgerPath = strings.TrimSuffix(out.Path, "/") + "/ledger"
	}
	if out.LoseStore, err = s.storeFault(ctx); err != nil {
		return out, err
	}
	if err := f.database(s, &out); err != nil {
		return out, err
	}
	return out, f.guarded(g, &out)
}

// guarded says where the journals are and who watches over them.
func (f *drillFlags) guarded(g *global, out *drill.Config) error {
	data, err := filepath.Abs(g.dataDirOf())
	if err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	out.Dir = filepath.Join(data, "drill", out.Function)
	out.Guard = []string{self, "drill-guard", "--dir", out.Dir, "--data-dir", data}
	for flag, value := range map[string]string{"--url": g.url, "--token-file": g.tokenFile, "--ca-file": g.caFile} {
		if value == "" {
			continue
		}
		if flag != "--url" {
			if value, err = filepath.Abs(value); err != nil {
				return fmt.Errorf("find the file of %s: %w", flag, err)
			}
		}
		out.Guard = append(out.Guard, flag, value)
	}
	return nil
}

// chosen is the function that is meant: the one with most instances, of equals
// the first by name.
func (f *drillFlags) chosen(ctx context.Context, s *drillServer) (string, error) {
	var status admin.Status
	if err := s.get(ctx, "status", &status); err != nil {
		return "", err
	}
	best, names, most := "", []string{}, -1
	for i := range status.Functions {
		v := &status.Functions[i]
		names = append(names, v.Name)
		if v.Name == f.function {
			return v.Name, nil
		}
		if v.Instances.Available > most {
			best, most = v.Name, v.Instances.Available
		}
	}
	switch {
	case f.function != "":
		return "", fmt.Errorf("there is no function %q; there are %s", clean(f.function), strings.Join(names, ", "))
	case best == "":
		return "", errNoFunction
	}
	return best, nil
}

// gateway is where the configuration says it listens.
func (s *drillServer) gateway(ctx context.Context) (string, error) {
	listen, err := s.value(ctx, "listen")
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" || !s.local {
		return "", errGateway
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// ownGateway refuses hosts of others.
func ownGateway(gateway string) error {
	u, err := url.Parse(gateway)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--gateway %s: want http://HOST:PORT", clean(gateway))
	}
	ip := net.ParseIP(u.Hostname())
	if !ownAddress(u.Hostname()) && (ip == nil || !ip.IsPrivate()) {
		return errElsewhereRun
	}
	return nil
}
