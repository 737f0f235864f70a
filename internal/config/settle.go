package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// settler checks what no single key shows, and fills in the defaults that
// depend on other keys.
type settler struct {
	config   *Config
	origins  *Origins
	problems *collector
}

func (s *settler) settle() {
	c := s.config
	s.atMost("pool.min", c.Pool.Min, "pool.max", c.Pool.Max)
	if _, port, err := net.SplitHostPort(c.Listen); err == nil && c.Listen == c.Admin.Listen && port != "0" {
		s.add("admin.listen", "is the same address as listen", "give it a port of its own")
	}
	s.certificate("tls", &c.TLS)
	s.adminTLS(&c.Admin)
	if c.Admin.OIDC != nil {
		s.oidc(c.Admin.OIDC, "admin.oidc")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Functions)) {
		s.function(c.Functions[name], "functions."+name)
	}
	s.alertChannels()
	s.alertRules()
	s.routes()
	s.fallbacks()
}

// adminTLS wants one certificate, and one where others can reach the listener.
func (s *settler) adminTLS(a *Admin) {
	switch t := a.TLS; {
	case !s.certificate("admin.tls", &t):
	case t.Cert == "" && !t.Auto && !onLoopback(a.Listen):
		s.add("admin.listen", "can be reached by others and has no TLS", "set admin.tls: {cert: FILE, key: FILE} or {auto: true}, or listen on 127.0.0.1")
	}
}

// certificate wants one at most, with both of its halves.
func (s *settler) certificate(path string, t *TLS) bool {
	switch {
	case t.Auto && (t.Cert != "" || t.Key != ""):
		s.add(path+".auto", "excludes cert and key", "keep the files, or auto")
	case t.Cert == "" && t.Key != "":
		s.add(path+".cert", "is missing", "a key needs its certificate")
	case t.Cert != "" && t.Key == "":
		s.add(path+".key", "is missing", "a certificate needs its key")
	default:
		return true
	}
	return false
}

// onLoopback reports whether only this machine reaches an address. A name other
// than localhost may lead anywhere.
func onLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err != nil || host == "localhost" || ip != nil && ip.IsLoopback()
}

// add reports a problem, unless the key has one already.
func (s *settler) add(path, message, hint string) {
	if !s.problems.at[path] {
		s.problems.add(s.origins.at(path), path, message, hint)
	}
}

// sound reports whether none of the keys, nor anything inside them, has a
// problem of its own.
func (s *settler) sound(paths ...string) bool {
	return !slices.ContainsFunc(paths, func(path string) bool { return s.problems.beneath[path] })
}

func (s *settler) function(f *Function, path string) {
	s.source(f, path)
	s.instances(f, path+".instances")
	s.health(f, path+".health")
	s.breaker(&f.CircuitBreaker, path+".circuit_breaker")
	s.balancing(&f.LoadBalancing, path+".load_balancing")
	order(s, path+".retry.base_delay", &f.Retry.BaseDelay, path+".retry.max_delay", &f.Retry.MaxDelay)
	s.timeouts(&f.Timeouts, path+".timeouts")
	if f.Concurrency.Queue.Size > 0 && f.Concurrency.MaxInFlight == 0 {
		s.add(path+".concurrency.queue.size", "has no effect without concurrency.max_in_flight", "set max_in_flight, or remove the queue")
	}
	s.scaling(f, path+".scaling")
	s.fallback(&f.Fallback, path+".fallback")
	s.platform(&f.Platform, path+".platform")
}

// instances names those without id after host and port, and refuses doubles.
func (s *settler) instances(f *Function, path string) {
	first := map[string]int{}
	for i := range f.Instances {
		in := &f.Instances[i]
		at := fmt.Sprintf("%s[%d]", path, i)
		if in.ID == "" {
			in.ID = hostAndPort(in.URL)
		}
		if !s.sound(at) {
			continue
		}
		if j, twice := first[in.ID]; twice {
			s.add(at, fmt.Sprintf("has the same id as instance %d, %s", j, in.ID), "ids are unique in a function; without an id it is host:port of the url")
			continue
		}
		first[in.ID] = i
	}
}

// health chooses the kind of check where none is named, and its path.
func (s *settler) health(f *Function, path string) {
	h := &f.Health
	if !s.origins.written(path + ".type") {
		switch {
		case len(h.Command) > 0:
			h.Type = "exec"
		case s.origins.written(path + ".service"):
			h.Type = "grpc"
		case h.Path != "" || h.expects() != "":
			h.Type = "http"
		}
	}
	if key := h.expects(); key != "" && h.Type != "http" {
		s.add(path+"."+key, "has no effect with type "+h.Type, "write type: http, or remove it")
	}
	if h.Path == "" && (h.Type == "auto" || h.Type == "http") {
		h.Path = healthPath(f.Routes)
	}
	if h.Type == "exec" && (len(h.Command) == 0 || h.Command[0] == "") {
		s.add(path+".command", "is missing", "an exec check runs a command, for example [pg_isready, -q]")
	}
	order(s, path+".suspect_interval", &h.SuspectInterval, path+".interval", &h.Interval)
	order(s, path+".timeout", &h.Timeout, path+".interval", &h.Interval)
}

// expects names the key by which more than a sign of life is asked of the answer,
// "" when there is none.
func (h *Health) expects() string {
	switch {
	case len(h.JSON) > 0:
		return "json"
	case h.Body != "":
		return "body"
	case h.Status != anyStatus:
		return "status"
	}
	return ""
}

// healthPath is `health` below the first route, as the instance sees it.
func healthPath(routes []Route) string {
	if len(routes) == 0 || routes[0].Exact || routes[0].StripPrefix {
		return "/health"
	}
	return strings.TrimSuffix(routes[0].Path, "/") + "/health"
}

func (s *settler) breaker(b *CircuitBreaker, path string) {
	if !s.origins.written(path+".max_recovery_timeout") && s.origins.written(path+".recovery_timeout") {
		b.MaxRecoveryTimeout = 10 * b.RecoveryTimeout
	}
	order(s, path+".recovery_timeout", &b.RecoveryTimeout, path+".max_recovery_timeout", &b.MaxRecoveryTimeout)
	w, path := &b.Window, path+".window"
	if w.Calls > 0 {
		order(s, path+".minimum_calls", &w.MinimumCalls, path+".calls", &w.Calls)
	}
	if w.Calls > 0 || w.Duration > 0 {
		s.window(w, path)
		return
	}
	for _, key := range []string{".failure_rate_percent", ".slow_call_rate_percent", ".slow_call_duration", ".minimum_calls"} {
		if s.origins.written(path + key) {
			s.add(path+key, "has no effect without window.calls or window.duration", "say how many calls, or how much time, to look at")
			return
		}
	}
	if b.FailureThreshold == 0 && !b.Disabled {
		s.add(strings.TrimSuffix(path, ".window")+".failure_threshold", "is 0 and there is no window, so nothing would ever open the breaker", "set disabled: true if that is meant")
	}
}

// window checks one that is in use.
func (s *settler) window(w *BreakerWindow, path string) {
	if w.Duration > 0 && w.Duration < Duration(10*time.Millisecond) {
		s.add(path+".duration", fmt.Sprintf("must be at least 10ms, is %s", w.Duration), "write 10s for ten seconds")
	}
	if w.FailureRatePercent == 0 && w.SlowCallRatePercent == 0 {
		s.add(path+".failure_rate_percent", "is 0 and so is slow_call_rate_percent, so the window would never open the breaker", "give one of them, or remove the window")
	}
}

func (s *settler) balancing(b *LoadBalancing, path string) {
	if b.Strategy == "consistent-hash" && b.HashOn == (HashOn{}) {
		b.HashOn.ClientIP = true
	}
	if b.Affinity.SameSite == "none" && !b.Affinity.Secure {
		s.add(path+".affinity.same_site", "is none without secure: true", "browsers drop such a cookie; set secure: true, or lax")
	}
	if factor := b.Ejection.LatencyFactor; factor > 0 && factor < 1 {
		s.add(path+".ejection.latency_factor", fmt.Sprintf("must be 0 or at least 1, is %v", factor), "leave it out for the default, 3")
	}
	order(s, path+".ejection.base_time", &b.Ejection.BaseTime, path+".ejection.max_time", &b.Ejection.MaxTime)
}

// timeouts keeps connect <= attempt <= exchange; 0 is no limit.
func (s *settler) timeouts(t *Timeouts, path string) {
	if t.Attempt > 0 && t.Exchange > 0 {
		order(s, path+".attempt", &t.Attempt, path+".exchange", &t.Exchange)
	}
	if t.Attempt > 0 {
		order(s, path+".connect", &t.Connect, path+".attempt", &t.Attempt)
	}
}

func (s *settler) fallback(f *Fallback, path string) {
	redirects := f.Status >= 300 && f.Status <= 399
	switch {
	case f.Redirect == "" && redirects:
		s.add(path+".status", fmt.Sprintf("is %d without redirect", f.Status), "say where to: redirect: URL")
	case f.Redirect != "" && !s.origins.written(path+".status"):
		f.Status = 307
	case f.Redirect != "" && !redirects:
		s.add(path+".status", fmt.Sprintf("must be between 300 and 399 with redirect, is %d", f.Status), "leave it out for 307")
	}
}

// atMost reports low > high.
func (s *settler) atMost(lowPath string, low int, highPath string, high int) {
	if low <= high || !s.sound(lowPath, highPath) {
		return
	}
	at, key := lowPath, highPath[strings.LastIndexByte(highPath, '.')+1:]
	if !s.origins.written(lowPath) {
		at, key = highPath, lowPath[strings.LastIndexByte(lowPath, '.')+1:]
		s.add(at, fmt.Sprintf("must be at least %s, %d%s, is %d", key, low, s.byDefault(lowPath), high), "lower "+key+" too")
		return
	}
	s.add(at, fmt.Sprintf("must be at most %s, %d%s, is %d", key, high, s.byDefault(highPath), low), "raise "+key+" too")
}

// byDefault marks a value in a message that nobody wrote.
func (s *settler) byDefault(path string) string {
	if s.origins.written(path) {
		return ""
	}
	return " by default"
}

// order keeps low <= high. A value that nobody wrote gives way to one that
// somebody did; two written ones are a problem.
func order[T interface {
	cmp.Ordered
	~int | ~int64
}](s *settler, lowPath string, low *T, highPath string, high *T) {
	if *low <= *high || !s.sound(lowPath, highPath) {
		return
	}
	switch {
	case !s.origins.written(lowPath):
		*low = *high
	case !s.origins.written(highPath):
		*high = *low
	default:
		key := highPath[strings.LastIndexByte(highPath, '.')+1:]
		s.add(lowPath, fmt.Sprintf("must be at most %s, %v, is %v", key, *high, *low), "lower it, or raise "+key)
	}
}
