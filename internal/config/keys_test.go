package config_test

import (
	"slices"
	"strings"
	"testing"

	"holdfast/internal/config"
)

// closed are the keys that the API can never set, one by one: a new key has to
// be thought about.
var closed = []string{
	"listen", "admin", "admin.listen", "data_dir", "engine", "store", "platform", "trusted_proxies", "shutdown_timeout",
	"log.format", "limits", "limits.header_bytes", "limits.header_timeout", "limits.idle_timeout", "limits.min_rate", "limits.record_ring",
	"pool", "pool.min", "pool.max",
	"functions.NAME.profile", "functions.NAME.health.command", "functions.NAME.health.port",
	"functions.NAME.platform", "functions.NAME.platform.process",
	"functions.NAME.platform.process.command", "functions.NAME.platform.process.env", "functions.NAME.platform.process.dir",
	"functions.NAME.platform.process.instances", "functions.NAME.platform.process.ports",
	"functions.NAME.platform.process.ready_timeout", "functions.NAME.platform.process.stop_timeout",
	"functions.NAME.platform.process.output", "functions.NAME.platform.process.warm_spares",
	"functions.NAME.scaling.signals.NAME.prometheus", "functions.NAME.scaling.signals.NAME.prometheus.url",
	"functions.NAME.scaling.signals.NAME.prometheus.query", "functions.NAME.scaling.signals.NAME.prometheus.headers",
	"functions.NAME.scaling.signals.NAME.prometheus.interval", "functions.NAME.scaling.signals.NAME.prometheus.timeout",
	"functions.NAME.scaling.signals.NAME.http_json", "functions.NAME.scaling.signals.NAME.http_json.url",
	"functions.NAME.scaling.signals.NAME.http_json.path", "functions.NAME.scaling.signals.NAME.http_json.headers",
	"functions.NAME.scaling.signals.NAME.http_json.interval", "functions.NAME.scaling.signals.NAME.http_json.timeout",
	"functions.NAME.platform.docker-swarm", "functions.NAME.platform.docker-swarm.host", "functions.NAME.platform.docker-swarm.tls",
	"functions.NAME.platform.docker-swarm.tls.ca", "functions.NAME.platform.docker-swarm.tls.cert", "functions.NAME.platform.docker-swarm.tls.key", "functions.NAME.platform.docker-swarm.scheme",
	"functions.NAME.platform.docker-swarm.service", "functions.NAME.platform.docker-swarm.port", "functions.NAME.platform.docker-swarm.network",
	"functions.NAME.platform.docker-swarm.ready_timeout",
	"functions.NAME.platform.kubernetes", "functions.NAME.platform.kubernetes.kubeconfig", "functions.NAME.platform.kubernetes.context",
	"functions.NAME.platform.kubernetes.namespace", "functions.NAME.platform.kubernetes.target", "functions.NAME.platform.kubernetes.service",
	"functions.NAME.platform.kubernetes.port", "functions.NAME.platform.kubernetes.scheme", "functions.NAME.platform.kubernetes.ready_timeout",
	"admin.hosts", "admin.allow_instances", "admin.metrics_token", "admin.tls", "admin.tls.cert", "admin.tls.key", "admin.tls.auto",
	"alerts", "alerts.link", "alerts.heartbeat", "alerts.channels", "alerts.channels.NAME.severity", "alerts.channels.NAME.functions",
	"alerts.channels.NAME.slack", "alerts.channels.NAME.slack.url",
	"alerts.channels.NAME.pagerduty", "alerts.channels.NAME.pagerduty.routing_key", "alerts.channels.NAME.pagerduty.url",
	"alerts.channels.NAME.email", "alerts.channels.NAME.email.server", "alerts.channels.NAME.email.tls", "alerts.channels.NAME.email.user",
	"alerts.channels.NAME.email.password", "alerts.channels.NAME.email.from", "alerts.channels.NAME.email.to",
	"alerts.channels.NAME.alertmanager", "alerts.channels.NAME.alertmanager.url", "alerts.channels.NAME.alertmanager.headers",
	"alerts.channels.NAME.webhook", "alerts.channels.NAME.webhook.url", "alerts.channels.NAME.webhook.format",
	"alerts.channels.NAME.webhook.secret", "alerts.channels.NAME.webhook.headers", "alerts.channels.NAME.webhook.heartbeats",
	"alerts.channels.NAME.heartbeat", "alerts.channels.NAME.heartbeat.url", "alerts.channels.NAME.heartbeat.method",
	"telemetry.traces.endpoint", "telemetry.traces.protocol", "telemetry.traces.headers", "telemetry.traces.service_name",
	"admin.oidc", "admin.oidc.issuer", "admin.oidc.client_id", "admin.oidc.client_secret", "admin.oidc.redirect_url", "admin.oidc.scopes",
	"admin.oidc.claim", "admin.oidc.roles", "admin.oidc.roles.viewer", "admin.oidc.roles.operator", "admin.oidc.roles.admin", "admin.oidc.domains",
	"tls", "tls.cert", "tls.key", "tls.auto",
}

func TestTheAPICanSetOnlyWhatIsOpenedOneByOne(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range config.Keys() {
		if strings.Contains(k.Path, "[]") {
			continue // lists are set as a whole
		}
		seen[k.Path] = true
		why, _ := config.Settable(strings.ReplaceAll(k.Path, "NAME", "public"), false)
		if want := slices.Contains(closed, k.Path); want != (why != "") {
			t.Errorf("%s: settable is %v, want %v", k.Path, why == "", !want)
		}
	}
	for _, path := range closed {
		if !seen[path] {
			t.Errorf("%s is listed as closed and does not exist", path)
		}
	}
	for _, path := range []string{"", "nothing", "functions.public.nothing", "functions.public.retry.attempts.more", "include", "defaults.retry.attempts"} {
		if why, _ := config.Settable(path, false); why == "" {
			t.Errorf("%q can be set", path)
		}
	}
	for _, path := range []string{"include", "include[0]", "defaults", "defaults.platform.process.command", "defaults.platform.docker-swarm.host", "functions.public.retry"} {
		if !config.Known(path) { // else the loader is asked, which takes them in files
			t.Errorf("%q is not known", path)
		}
	}
}

func TestValuesSayWhereTheyComeFrom(t *testing.T) {
	t.Parallel()
	c, origins, err := load(t, `functions:
  public:
    routes: [{path: /}]
    retry: {attempts: 3}
    fallback: {headers: {authorization: hush}}
    instances: [{url: "http://127.0.0.1:9001", weight: 2}]
`)
	if err != nil {
		t.Fatal(err)
	}
	values := config.Values(c, origins, "functions.public.instances")
	if len(values) == 0 || values[0].Path != "functions.public.instances[0].id" {
		t.Fatalf("%+v", values)
	}
	one := config.Values(c, origins, "functions.public.retry.attempts")
	if len(one) != 1 || one[0].Text != "3" || one[0].Origin.String() != "file holdfast.yaml:4:23" {
		t.Errorf("%+v", one)
	}
	all := config.Values(c, origins, "")
	for _, v := range all {
		if strings.Contains(v.Text, "hush") {
			t.Errorf("%s shows a secret: %s", v.Path, v.Text)
		}
	}
	at := slices.IndexFunc(all, func(v config.Value) bool { return v.Path == "listen" })
	if at < 0 || all[at].Origin.String() != "default" {
		t.Errorf("listen: %+v", all[max(at, 0)])
	}
}

func TestTheGatewayHasOneWholeCertificateOrNone(t *testing.T) {
	t.Parallel()
	const rest = "\nfunctions: {public: {routes: [{path: /}], instances: [{url: \"http://127.0.0.1:1\"}]}}\n"
	for tls, says := range map[string]string{
		"{}":                            "",
		"{auto: true}":                  "",
		"{cert: a, key: b}":             "",
		"{cert: a}":                     "tls.key: is missing",
		"{key: a}":                      "tls.cert: is missing",
		"{auto: true, cert: a, key: b}": "tls.auto: excludes cert and key",
	} {
		_, _, err := load(t, "tls: "+tls+rest)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", tls, err, says)
		}
	}
}

func TestAnAdminListenerThatOthersReachNeedsTLS(t *testing.T) {
	t.Parallel()
	const rest = "\nfunctions: {public: {routes: [{path: /}], instances: [{url: \"http://127.0.0.1:1\"}]}}\n"
	for admin, says := range map[string]string{
		"{listen: 127.0.0.1:1}":                        "",
		"{listen: \"[::1]:1\"}":                        "",
		"{listen: \"localhost:1\"}":                    "",
		"{listen: \":1\"}":                             "has no TLS",
		"{listen: 0.0.0.0:1}":                          "has no TLS",
		"{listen: 10.0.0.1:1}":                         "has no TLS",
		"{listen: :1, tls: {auto: true}}":              "",
		"{listen: :1, tls: {cert: a, key: b}}":         "",
		"{tls: {cert: a}}":                             "admin.tls.key",
		"{tls: {key: a}}":                              "admin.tls.cert",
		"{tls: {auto: true, cert: a, key: b}}":         "excludes cert and key",
		"{hosts: [\"holdfast.example.com\", \"a:1\"]}": "admin.hosts[1]",
		"{allow_instances: [10.0.0.0/8, 192.168.1.1]}": "",
		"{allow_instances: [somewhere]}":               "admin.allow_instances[0]",
	} {
		_, _, err := load(t, "admin: "+admin+rest)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", admin, err, says)
		}
	}
}
