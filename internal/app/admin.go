package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"holdfast/internal/admin"
	"holdfast/internal/admin/access"
	"holdfast/internal/admin/access/certificate"
	"holdfast/internal/config"
	"holdfast/internal/prober"
	"holdfast/internal/store"
)

// door is who may come in at the admin listener, and how.
type door struct {
	tokens      *access.Tokens
	guard       *access.Guard
	audit       *access.Audit
	certificate *certificate.Source // nil: no TLS
}

// openDoor makes the first token when there is none, and reads the
// certificate.
func (a *App) openDoor(c *config.Config) error {
	first, made, err := access.Bootstrap(a.data.path)
	if err != nil {
		return err
	}
	logger := a.logs.For("access")
	if made {
		a.logger.Info("made the first token of the admin interface", "file", access.BootstrapName)
	}
	a.door.tokens = access.NewTokens(access.TokensConfig{
		Store: a.store, Bootstrap: first, Logger: logger,
		Used: func(u store.TokenUse) { _ = a.outbox.Keep(u) }, // when it was last used is of no weight
	})
	a.door.audit = access.NewAudit(a.store, logger)
	provider, callback, err := signInOf(c.Admin.OIDC)
	if err != nil {
		return err
	}
	a.door.guard, err = access.New(access.Config{
		Tokens: a.door.tokens, Hosts: c.Admin.Hosts, Refuse: admin.Refuse, Logger: logger, Audit: a.door.audit,
		SignIn: provider, Callback: callback,
	})
	if err != nil {
		return err
	}
	return a.openCertificates(c)
}

// openCertificates reads those of both listeners.
func (a *App) openCertificates(c *config.Config) (err error) {
	if a.certificate, err = a.openCertificate("gateway", "tls", &c.TLS, namesOf(nil, c.Listen)); err != nil {
		return err
	}
	a.door.certificate, err = a.openCertificate("admin", "admin.tls", &c.Admin.TLS, namesOf(c.Admin.Hosts, c.Admin.Listen))
	if err == nil && a.door.certificate == nil {
		err = certificate.CheckListener("admin.listen", a.adminListener.Addr(), false)
	}
	return err
}

// openCertificate returns nil where the listener has none.
func (a *App) openCertificate(owner, key string, t *config.TLS, names []string) (*certificate.Source, error) {
	logger := a.logger.With("listener", owner)
	cc := certificate.Config{Owner: owner, CertFile: t.Cert, KeyFile: t.Key, Report: func(e certificate.Event) { reportCertificate(logger, e) }}
	switch {
	case t.Auto:
		cc.Auto, cc.Names = a.data.path, names
	case t.Cert == "":
		return nil, nil //nolint:nilnil // it has none
	}
	source, err := certificate.Open(cc, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if t.Auto {
		logger.Info("the listener has a self-signed certificate", "sha256", source.Fingerprint())
	}
	return source, nil
}

func reportCertificate(logger *slog.Logger, e certificate.Event) {
	if e.Err != nil {
		logger.Warn("certificate not replaced", "error", e.Err)
		return
	}
	logger.Info("certificate replaced", "sha256", e.Fingerprint)
}

// namesOf are the names a certificate of our own is good for.
func namesOf(hosts []string, listen string) []string {
	if host, _, err := net.SplitHostPort(listen); err == nil && host != "" && !net.ParseIP(host).IsUnspecified() {
		return append(slices.Clip(hosts), strings.ToLower(host))
	}
	return hosts
}

// gatewayTLS is nil where the gateway speaks plain HTTP.
func (a *App) gatewayTLS() *tls.Config {
	if a.certificate == nil {
		return nil
	}
	return a.certificate.TLS()
}

// adminTLS is the admin listener as it is served.
func (a *App) adminTLS() net.Listener {
	if a.door.certificate == nil {
		return a.adminListener
	}
	return tls.NewListener(a.adminListener, a.door.certificate.TLS())
}

// GatewayURL returns where the gateway is reached.
func (a *App) GatewayURL() string {
	address, _ := a.Addresses()
	if a.certificate != nil {
		return "https://" + address
	}
	return "http://" + address
}

// AdminURL returns where the admin interface is reached.
func (a *App) AdminURL() string {
	_, address := a.Addresses()
	if a.door.certificate != nil {
		return "https://" + address
	}
	return "http://" + address
}

// makeAdmin connects the admin interface with all it answers about.
func (a *App) makeAdmin(c *config.Config) {
	a.admin = admin.New(admin.Config{
		Gateway: a.gateway, Events: a.events, Logs: a.logs, Version: a.options.Version,
		Probe: func(function, instance string) (prober.View, bool) {
			return a.prober.View(targetKey(function, instance))
		},
		Process: a.processOf, Platform: a.platformOf,
		Reload: a.reloadSentences,
		Config: func() ([]byte, error) { return config.Marshal(a.config.Load(), true), nil },
		Values: a.configValues,
		Trial:  a.under, Schema: a.functionSchema,
		Control: a.control, Runs: a.runs, CheckURL: a.checkLoaded,
		Store: a.store, Node: a.node, StoreHealth: a.outbox.Health, History: past{a.history, a.signalNames}, Performance: a.monitor.Snapshot, Scaling: a.scalingOf, Bounds: a.boundsOf, ScalingSources: a.scalingSignals,
		Alerts: a.alerts.Firing, Alerting: a.alerts,
		Figures: a.figures,
		Guard:   a.door.guard, Tokens: a.door.tokens, Audit: a.door.audit, MetricsToken: c.Admin.MetricsToken,
	})
}

// runAdmin serves the admin interface until ctx ends.
func (a *App) runAdmin(ctx context.Context) error {
	return a.admin.Run(ctx, a.adminTLS(), a.socket)
}

func (a *App) configValues(path string) []admin.ConfigValue {
	values := config.Values(a.config.Load(), a.origins.Load(), path)
	list := make([]admin.ConfigValue, len(values))
	for i, v := range values {
		list[i] = admin.ConfigValue{Path: v.Path, Value: v.Text, Origin: v.Origin.String()}
	}
	return list
}

// boundsOf returns between how many instances a function is scaled; zeros: it is
// not.
func (a *App) boundsOf(function string) (least, most int) {
	f := a.config.Load().Functions[function]
	if f == nil || f.Platform.Name() == "" || !f.Scaling.Enabled {
		return 0, 0
	}
	return f.Scaling.MinInstances, f.Scaling.MaxInstances
}
