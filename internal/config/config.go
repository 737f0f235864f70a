package config

import "net/netip"

// Config is everything Holdfast can be told.
type Config struct {
	// Address of the gateway: host and port. An empty host means every address of this machine, port 0 a free port chosen at start.
	Listen string `yaml:"listen" default:"127.0.0.1:8080" format:"listen"`
	// Certificate of the gateway. With one, `listen` speaks TLS 1.2 or newer, HTTP/2 included, and nothing else. A change needs a restart; a changed file does not.
	TLS TLS `yaml:"tls"`
	// The admin listener: API, metrics and dashboard.
	Admin Admin `yaml:"admin"`
	// Directory of Holdfast's own state: database, spool, journal, admin token. Created when missing.
	DataDir string `yaml:"data_dir" default:"./holdfast-data" format:"nonempty"`
	// Engine that moves HTTP/1.1 bytes. `http1` reads strictly: what can be understood in two ways is refused, from clients and from instances; on Linux, poll loops carry the common kind of request for less CPU, see docs/performance.md. `std` is Go's net/http alone.
	Engine string `yaml:"engine" default:"http1" enum:"std|http1"`
	// Where Holdfast keeps its state: `sqlite` (in the data directory) or the URL of a PostgreSQL database, `postgres://user@host/db`.
	Store string `yaml:"store" default:"sqlite" format:"store"`
	// Platform of functions that name none: `process`, `docker-swarm`, `kubernetes`, `vercel` or `netlify`. Also set by `DEPLOYMENT_PLATFORM`. It chooses nothing: a function says in its own `platform` what runs there, or lists its instances. This version can run `process`, `docker-swarm` and `kubernetes`.
	Platform string `yaml:"platform" enum:"process|docker-swarm|kubernetes|vercel|netlify"`
	// Proxies in front of Holdfast, as networks (`10.0.0.0/8`) or addresses. Forwarding headers are believed from these only.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	// How long open exchanges may go on after the signal to stop.
	ShutdownTimeout Duration `yaml:"shutdown_timeout" default:"30s" range:"0..1h"`
	// What is logged.
	Log Log `yaml:"log"`
	// What a client may cost before it is routed.
	Limits Limits `yaml:"limits"`
	// From where on something is out of the ordinary: an event, a metric and a line of `holdfast status`.
	Monitor Monitor `yaml:"monitor"`
	// Who is told what is wrong.
	Alerts Alerts `yaml:"alerts"`
	// What is sent to others about requests.
	Telemetry Telemetry `yaml:"telemetry"`
	// Connections to PostgreSQL. Checked now, used by the pool of a later version.
	Pool Pool `yaml:"pool"`
	// The services behind the gateway, by name: lower-case letters, digits, `-` and `_`, at most 63.
	Functions map[string]*Function `yaml:"functions" format:"function-name" max:"10000"`

	// secrets holds the paths whose values were read from secret files.
	secrets map[string]bool
}

// document is what a file may hold: the keys of Config and two more that are
// used up while loading.
type document struct {
	Config `yaml:",inline"`
	// Files merged before this one, in order. Paths are relative to this file. Works in files only.
	Include []string `yaml:"include" format:"nonempty"`
	// Any keys of a function; they hold for every function that does not say otherwise itself.
	Defaults Function `yaml:"defaults"`
}

// Admin is the listener for operators.
type Admin struct {
	// Address of the admin listener: host and port. Beyond loopback it needs `tls`.
	Listen string `yaml:"listen" default:"127.0.0.1:8081" format:"listen"`
	// Certificate of the admin listener.
	TLS TLS `yaml:"tls"`
	// Names under which the admin listener is reached, without port, besides `localhost` and addresses. Requests for other names are refused.
	Hosts []string `yaml:"hosts" format:"host-name" max:"100"`
	// Networks in which the API may place instances besides public addresses, such as `10.0.0.0/8`. The configuration file may name any.
	AllowInstances []netip.Prefix `yaml:"allow_instances" max:"1000"`
	// Sign in through an OpenID Connect provider, beside tokens. A change needs a restart.
	OIDC *OIDC `yaml:"oidc"`
	// Ask for a token (role viewer) for `/metrics` on loopback too. Beyond loopback one is always needed.
	MetricsToken bool `yaml:"metrics_token"`
}

// OIDC is an OpenID Connect provider, such as Keycloak, Okta, Entra or Google.
type OIDC struct {
	// Address of the provider; `/.well-known/openid-configuration` below it describes it.
	Issuer string `yaml:"issuer" format:"issuer" required:"true"`
	// What the provider calls Holdfast.
	ClientID string `yaml:"client_id" format:"nonempty" required:"true"`
	// Secret that goes with it: `${file:PATH}`. Empty: the provider wants none.
	ClientSecret string `yaml:"client_secret" secret:"true"`
	// Address the provider sends browsers back to, `https://HOST/api/v1/session/oidc/callback`; it must know it. Empty: by the name under which the browser reached Holdfast.
	RedirectURL string `yaml:"redirect_url" format:"callback"`
	// What is asked for besides `openid`.
	Scopes []string `yaml:"scopes" default:"profile,email" format:"scope" max:"50"`
	// Claim of the ID token whose values give roles. Dots lead into objects: `realm_access.roles`.
	Claim string `yaml:"claim" default:"groups" format:"nonempty"`
	// Which values give which role; the highest counts, and who has none does not come in.
	Roles OIDCRoles `yaml:"roles"`
	// Domains of verified addresses that may come in. Empty: all.
	Domains []string `yaml:"domains" format:"host-name" max:"1000"`
}

// OIDCRoles says which values of the claim give which role.
type OIDCRoles struct {
	// May read. `*` is everybody of `domains`.
	Viewer []string `yaml:"viewer" format:"nonempty" max:"1000"`
	// May act on what runs. `*` is everybody of `domains`.
	Operator []string `yaml:"operator" format:"nonempty" max:"1000"`
	// May change everything that the API can.
	Admin []string `yaml:"admin" format:"nonempty" max:"1000"`
}

// TLS is the certificate of a listener: files, or one that Holdfast makes
// itself.
type TLS struct {
	// PEM file with the certificate, and its chain if it has one. Read again when it changes.
	Cert string `yaml:"cert"`
	// PEM file with the private key.
	Key string `yaml:"key"`
	// Make a self-signed certificate in the data directory.
	Auto bool `yaml:"auto"`
}

// Log says what is written to the log, and how.
type Log struct {
	// Lowest level that is written.
	Level string `yaml:"level" default:"info" enum:"debug|info|warn|error"`
	// `text` for people, `json` for machines.
	Format string `yaml:"format" default:"text" enum:"text|json"`
	// Exchanges in the log: none, all, or `failed`: those that failed or needed a retry.
	Access string `yaml:"access" default:"failed" enum:"off|failed|all"`
	// Level of single components, for example `prober: debug`; the others keep `level`.
	Components map[string]string `yaml:"components" enum:"debug|info|warn|error" format:"component"`
}

// Limits bounds what a client may cost before it is routed.
type Limits struct {
	// Largest head of a request: request line and headers together.
	HeaderBytes Bytes `yaml:"header_bytes" default:"64KiB" range:"1KiB..16MiB"`
	// Time for the head of a request to arrive. 0: no limit.
	HeaderTimeout Duration `yaml:"header_timeout" default:"10s" range:"0..1h"`
	// Time a kept-alive client connection may be silent. 0: no limit.
	IdleTimeout Duration `yaml:"idle_timeout" default:"120s" range:"0..24h"`
	// Bytes a second a client moves at least, on average after 5 s, while it owes the rest of a request body or has to take an answer that is there. 0: no limit. Not with `engine: std`.
	MinRate Bytes `yaml:"min_rate" default:"240B" range:"0..1MiB"`
	// Exchanges kept in memory for `explain`.
	RecordRing int `yaml:"record_ring" default:"10000" range:"16..10000000"`
}

// Monitor says from where on something is out of the ordinary.
type Monitor struct {
	// Memory an instance or Holdfast uses, in percent of what it may use.
	MemoryPercent float64 `yaml:"memory_percent" default:"90" range:"1..100"`
	// Lag of an application's event loop (`event_loop_lag_ms` of its health answer), and of Holdfast's own scheduler.
	LoopLag Duration `yaml:"loop_lag" default:"100ms" range:"1ms..1m"`
	// Requests of the last minute that failed, in percent; with fewer than 20 requests nothing is said.
	ErrorPercent float64 `yaml:"error_percent" default:"10" range:"0.1..100"`
	// How many times slower than in the same hour last week p95 may be over 15 minutes.
	LatencyFactor float64 `yaml:"latency_factor" default:"1.5" range:"1.01..1000"`
}

// Alerts says who is told what is wrong. Without any, alerts are on the page, in
// the log and in `holdfast status`.
type Alerts struct {
	AlertRules `yaml:",inline"`

	// Where alerts are sent, by a name that is chosen freely.
	Channels map[string]*AlertChannel `yaml:"channels" format:"channel-name" max:"100"`
}

// Pool bounds the connections to PostgreSQL.
type Pool struct {
	// Connections kept open. Also set by `SUPABASE_MIN_CONNECTIONS`.
	Min int `yaml:"min" default:"2" range:"0..10000"`
	// Connections at most. Also set by `SUPABASE_MAX_CONNECTIONS`.
	Max int `yaml:"max" default:"20" range:"1..10000"`
}
