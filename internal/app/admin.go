package app

import (
	"context"
	"crypto/tls"
	"fmt"
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
	a.door.guard, err = access.New(access.Config{
		Tokens: a.door.tokens, Hosts: c.Admin.Hosts, Refuse: admin.Refuse, Logger: logger, Audit: a.door.audit,
	})
	if err != nil {
		return err
	}
	return a.openCertificate(c)
}

func (a *App) openCertificate(c *config.Config) (err error) {
	t := c.Admin.TLS
	cc := certificate.Config{CertFile: t.Cert, KeyFile: t.Key, Report: a.reportCertificate}
	switch {
	case t.Auto:
		cc.Auto, cc.Names = a.data.path, namesOf(c)
	case t.Cert == "":
		return certificate.CheckListener("admin.listen", a.adminListener.Addr(), false)
	}
	a.door.certificate, err = certificate.Open(cc, time.Now())
	if err != nil {
		return fmt.Errorf("admin.tls: %w", err)
	}
	if t.Auto {
		a.logger.Info("the admin interface has a self-signed certificate", "sha256", a.door.certificate.Fingerprint())
	}
	return nil
}

func (a *App) reportCertificate(e certificate.Event) {
	if e.Err != nil {
		a.logger.Warn("certificate of the admin interface not replaced", "error", e.Err)
		return
	}
	a.logger.Info("certificate of the admin interface replaced", "sha256", e.Fingerprint)
}

// namesOf are the names a certificate of our own is good for.
func namesOf(c *config.Config) []string {
	names := c.Admin.Hosts
	if host, _, err := net.SplitHostPort(c.Admin.Listen); err == nil && host != "" && !net.ParseIP(host).IsUnspecified() {
		names = append(slices.Clip(names), strings.ToLower(host))
	}
	return names
}

// adminTLS is the admin listener as it is served.
func (a *App) adminTLS() net.Listener {
	if a.door.certificate == nil {
		return a.adminListener
	}
	return tls.NewListener(a.adminListener, a.door.certificate.TLS())
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
		Process: a.processOf,
		Reload:  a.reloadSentences,
		Config:  func() ([]byte, error) { return config.Marshal(a.config.Load(), true), nil },
		Values:  a.configValues,
		Control: a.control, Store: a.store, Node: a.node, StoreHealth: a.outbox.Health, History: past{a.history}, Performance: a.monitor.Snapshot,
		Guard: a.door.guard, Tokens: a.door.tokens, Audit: a.door.audit, MetricsToken: c.Admin.MetricsToken,
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
