package demo

import (
	"net/http"
	"time"
)

// switching is the misbehaviour of a whole instance for a while. It is never
// changed, only replaced.
type switching struct {
	slow   time.Duration
	fail   int
	drop   bool
	health bool // the health check suffers too
	until  time.Time
}

// applyTo adds the instance's trouble to the request's own.
func (s *switching) applyTo(m *mischief) {
	m.slow = max(m.slow, s.slow)
	if m.fail == 0 {
		m.fail = s.fail
	}
	m.drop = m.drop || s.drop
}

// switchedNow gives the switching in force, nil when there is none.
func (in *instance) switchedNow() *switching {
	if s := in.switched.Load(); s != nil && time.Now().Before(s.until) {
		return s
	}
	return nil
}

// flip switches the misbehaviour of this very instance on, or off when the
// query asks for none.
func (in *instance) flip(w http.ResponseWriter, r *http.Request) {
	p := params{query: r.URL.Query()}
	s := &switching{
		slow:   p.duration("slow", 0, 0, maxSlow),
		fail:   p.status("fail"),
		drop:   p.flag("drop"),
		health: p.flag("health"),
		until:  time.Now().Add(p.duration("for", defaultFor, 0, maxFor)),
	}
	if p.problem != "" {
		in.refuse(w, http.StatusBadRequest, p.problem)
		return
	}
	if s.slow == 0 && s.fail == 0 && !s.drop {
		s = &switching{until: time.Now()}
	}
	in.switched.Store(s)
	in.write(w, http.StatusOK, struct {
		Function string    `json:"function"`
		Instance string    `json:"instance"`
		PID      int       `json:"pid"`
		SlowMS   int64     `json:"slow_ms"`
		Fail     int       `json:"fail"`
		Drop     bool      `json:"drop"`
		Health   bool      `json:"health"`
		Until    time.Time `json:"until"`
	}{in.name, in.id, in.pid, s.slow.Milliseconds(), s.fail, s.drop, s.health, s.until})
}
