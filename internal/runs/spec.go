package runs

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"holdfast/drill"
	"holdfast/loadtest"
	"holdfast/loadtest/anyload"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/scenario"
	"holdfast/loadtest/schedule"
	"holdfast/loadtest/stress"
)

// What is run.
const (
	Load   = "load"
	Stress = "stress"
	Drill  = "drill"
)

// Kinds are all of them.
func Kinds() []string { return []string{Load, Stress, Drill} }

// Spec says what to run. Durations are written like 30s.
type Spec struct {
	Kind     string `json:"kind" enum:"load,stress,drill"`
	Function string `json:"function,omitempty" maxLength:"63" doc:"which one; the one with most instances when neither this nor url says it"`
	Path     string `json:"path,omitempty" maxLength:"2048" doc:"what is asked for; the function's first route when left out"`
	URL      string `json:"url,omitempty" maxLength:"2048" doc:"instead of a function; needs the role admin"`

	Method     string   `json:"method,omitempty" maxLength:"16" doc:"GET when left out"`
	Body       string   `json:"body,omitempty" maxLength:"65536"`
	Rate       float64  `json:"rate,omitempty" minimum:"0" maximum:"100000" doc:"requests per second; of a stress suite the normal rate"`
	Users      int      `json:"users,omitempty" minimum:"0" maximum:"10000" doc:"instead of a rate: users that wait for each answer"`
	Duration   string   `json:"duration,omitempty" maxLength:"16" example:"30s" doc:"10s when left out; of a stress suite what is usual for it"`
	RampUp     string   `json:"ramp_up,omitempty" maxLength:"16"`
	WarmUp     string   `json:"warm_up,omitempty" maxLength:"16"`
	Timeout    string   `json:"timeout,omitempty" maxLength:"16" doc:"of a request; 10s when left out"`
	Objectives []string `json:"objectives,omitempty" maxItems:"50" example:"[\"p99<250ms\",\"errors<0.1%\"]"`
	Scenario   string   `json:"scenario,omitempty" maxLength:"65536" doc:"of a load: a scenario (YAML) instead of all of the above; it may name no files and no variables of the environment. Not shown again"`
	Strict     bool     `json:"strict,omitempty" doc:"of a load: invalid when the generator judges itself INVALID"`
	OwnThis    bool     `json:"i_own_this,omitempty" doc:"allow more than 50/s on a url that is neither on this machine nor on a private network"`

	Suite     string  `json:"suite,omitempty" enum:"smoke,load,stress,spike,soak,recovery,breakpoint" doc:"of a stress test; breakpoint, a search for the highest rate, when left out"`
	P99       string  `json:"p99,omitempty" maxLength:"16" doc:"of a stress test: response time that 99 % have to keep; 500ms for a search, else nothing is judged, when left out"`
	Errors    float64 `json:"errors,omitempty" minimum:"0" maximum:"100" doc:"of a stress test: percent that may fail; 1 for a search when left out"`
	Min       float64 `json:"min,omitempty" minimum:"0" maximum:"100000" doc:"of a search: rate to begin with; 10 when left out"`
	Max       float64 `json:"max,omitempty" minimum:"0" maximum:"100000" doc:"of a search: rate to end at; 100000 when left out"`
	Step      string  `json:"step,omitempty" maxLength:"16" doc:"of a search: how long one rate is looked at; 10s when left out"`
	Precision float64 `json:"precision,omitempty" minimum:"0" maximum:"100" doc:"of a search: percent that good and bad rates may be apart; 5 when left out"`

	Experiment string `json:"experiment,omitempty" maxLength:"65536" doc:"of a drill: the name of one that is built in, or a whole experiment (YAML)"`
	Long       bool   `json:"long,omitempty" doc:"of a drill: windows five times as long"`
	Ledger     string `json:"ledger,omitempty" maxLength:"4096" doc:"of a drill: file in which the instances note each POST; without it duplicates are not measured"`
}

// Target is where the requests of a function go.
type Target struct {
	Function string
	Gateway  string // http://HOST:PORT
	Host     string // that the function's route wants; "": any
	Path     string // its first route
}

// long is how much longer the long form of a drill is.
const long = 5

// The bounds of what may be asked for. Longer runs are for the command.
const (
	longest = 6 * time.Hour
	slowest = 10 * time.Minute // a request
	fastest = 100_000
	widest  = 10_000
)

// Plan is a Spec that was understood.
type Plan struct {
	Name       string // of what is loaded, for people
	Load       loadtest.Config
	To         anyload.Config
	Suite      stress.Suite
	P99, Step  time.Duration // of a stress test
	Length     time.Duration // of the suite; 0: usual
	Experiment *drill.Experiment
	AtMost     time.Duration // how long it can take
}

// Plan reads a Spec against the target it is for. The error is a Refusal.
func (s *Spec) Plan(t *Target) (*Plan, error) {
	if err := s.belongs(); err != nil {
		return nil, err
	}
	p := &Plan{}
	var err error
	switch s.Kind {
	case Load:
		err = s.planLoad(p, t)
	case Stress:
		err = s.planStress(p, t)
	case Drill:
		err = s.planDrill(p)
	default:
		return nil, wrong("kind", "want load, stress or drill")
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// belongs refuses fields of another kind, which would be ignored.
func (s *Spec) belongs() error {
	for _, f := range []struct {
		name  string
		set   bool
		kinds string
	}{
		{"url", s.URL != "", "load stress"},
		{"method", s.Method != "", "load stress"},
		{"body", s.Body != "", "load stress"},
		{"rate", s.Rate != 0, "load stress"},
		{"duration", s.Duration != "", "load stress"},
		{"timeout", s.Timeout != "", "load stress"},
		{"i_own_this", s.OwnThis, "load stress"},
		{"users", s.Users != 0, Load},
		{"ramp_up", s.RampUp != "", Load},
		{"warm_up", s.WarmUp != "", Load},
		{"objectives", len(s.Objectives) > 0, Load},
		{"scenario", s.Scenario != "", Load},
		{"strict", s.Strict, Load},
		{"suite", s.Suite != "", Stress},
		{"p99", s.P99 != "", Stress},
		{"errors", s.Errors != 0, Stress},
		{"min", s.Min != 0, Stress},
		{"max", s.Max != 0, Stress},
		{"step", s.Step != "", Stress},
		{"precision", s.Precision != 0, Stress},
		{"experiment", s.Experiment != "", Drill},
		{"long", s.Long, Drill},
		{"ledger", s.Ledger != "", Drill},
	} {
		if f.set && s.Kind != "" && !strings.Contains(f.kinds, s.Kind) {
			return wrong(f.name, "does not belong to a %s", s.Kind)
		}
	}
	if s.URL != "" && (s.Function != "" || s.Path != "") {
		return wrong("url", "takes the place of function and path: leave those out")
	}
	return s.bounded()
}

// bounded checks figures whatever decoder they came through.
func (s *Spec) bounded() error {
	for _, f := range []struct {
		name  string
		value float64
		most  float64
	}{
		{"rate", s.Rate, fastest},
		{"users", float64(s.Users), widest},
		{"errors", s.Errors, 100},
		{"min", s.Min, fastest},
		{"max", s.Max, fastest},
		{"precision", s.Precision, 100},
	} {
		if math.IsNaN(f.value) || f.value < 0 || f.value > f.most {
			return wrong(f.name, "must lie between 0 and %.0f", f.most)
		}
	}
	return nil
}

func (s *Spec) planLoad(p *Plan, t *Target) error {
	if s.Scenario != "" {
		if err := s.planScenario(p, t); err != nil {
			return err
		}
	} else if err := s.planSimple(p, t); err != nil {
		return err
	}
	if err := loadtest.CheckObjectives(&p.Load); err != nil {
		return wrong("objectives", "%v", err)
	}
	length := Length(&p.Load)
	if length > longest {
		return wrong("duration", "at most %s in all: holdfast load takes longer ones", longest)
	}
	p.AtMost = length + cmp.Or(p.Load.Timeout, 10*time.Second)
	return nil
}

// planScenario reads a scenario that reaches nothing of this machine's.
func (s *Spec) planScenario(p *Plan, t *Target) error {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"url", s.URL != ""},
		{"function", s.Function != ""},
		{"path", s.Path != ""},
		{"method", s.Method != ""},
		{"body", s.Body != ""},
		{"rate", s.Rate != 0},
		{"users", s.Users != 0},
		{"duration", s.Duration != ""},
		{"ramp_up", s.RampUp != ""},
		{"warm_up", s.WarmUp != ""},
		{"timeout", s.Timeout != ""},
		{"objectives", len(s.Objectives) > 0},
	} {
		if f.set {
			return wrong(f.name, "the scenario says it: leave it out")
		}
	}
	found, err := scenario.Parse([]byte(s.Scenario), scenario.Place{Name: "scenario"})
	if err != nil {
		return wrong("scenario", "%v", err)
	}
	for i := range found.Target.Requests {
		if k := found.Target.Requests[i].Kind(); k != anyload.HTTP && k != anyload.WebSocket {
			return wrong("scenario", "requests of http, https, ws and wss are sent here: holdfast load speaks the others")
		}
	}
	p.Load, p.To, p.Name = found.Load, found.Target, "a scenario of "+requests(len(found.Target.Requests))
	if gateway := &t.Gateway; strings.HasPrefix(*gateway, "https://") && len(p.Foreign(*gateway)) == 0 {
		p.To.Transport.TLS = anyCertificate()
	}
	p.Load.Open = p.Load.Open || p.Load.Rate > 0
	if p.Load.Timeout > slowest {
		return wrong("scenario", "a timeout of at most %s: holdfast load waits longer", slowest)
	}
	if peak := Peak(&p.Load); peak > fastest {
		return wrong("scenario", "at most %d requests a second: holdfast load sends more", fastest)
	}
	if p.Load.Concurrency > widest || p.Load.MaxInFlight > widest || !p.Load.Open && peakOf(p.Load.Stages) > widest {
		return wrong("scenario", "at most %d users and requests in flight: holdfast load takes more", widest)
	}
	return nil
}

// anyCertificate is for this very process's listener, which may have one of its
// own making.
func anyCertificate() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // see above
}

func requests(n int) string {
	if n == 1 {
		return "1 request"
	}
	return fmt.Sprintf("%d requests", n)
}

func (s *Spec) planSimple(p *Plan, t *Target) error {
	if err := s.aim(p, t); err != nil {
		return err
	}
	if s.Rate > 0 && s.Users > 0 {
		return wrong("users", "a run has a rate or users: leave one of them out")
	}
	p.Load.Rate, p.Load.Concurrency, p.Load.Open = s.Rate, s.Users, s.Rate > 0
	for _, d := range []struct {
		name string
		text string
		to   *time.Duration
		def  time.Duration
	}{{"duration", s.Duration, &p.Load.Duration, 10 * time.Second}, {"ramp_up", s.RampUp, &p.Load.RampUp, 0}, {"warm_up", s.WarmUp, &p.Load.Warmup, 0}} {
		var err error
		if *d.to, err = duration(d.name, d.text, d.def, longest); err != nil {
			return err
		}
	}
	for i, text := range s.Objectives {
		o, err := loadtest.ParseObjective(text)
		if err != nil {
			return wrong(fmt.Sprintf("objectives[%d]", i), "%v", err)
		}
		p.Load.Objectives = append(p.Load.Objectives, o)
	}
	return nil
}

// duration reads one; 0 is def.
func duration(field, text string, def, most time.Duration) (time.Duration, error) {
	if text == "" {
		return def, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > most || d == 0 && def > 0 {
		return 0, wrong(field, "want a duration like 30s, at most %s, not %q", most, text)
	}
	return d, nil
}

// aim makes the request.
func (s *Spec) aim(p *Plan, t *Target) (err error) {
	r := httpload.Request{Method: cmp.Or(s.Method, "GET"), Body: s.Body, URL: s.URL}
	if s.URL == "" {
		path := cmp.Or(s.Path, t.Path)
		if !strings.HasPrefix(path, "/") {
			return wrong("path", "a path begins with /")
		}
		r.URL = t.Gateway + path
		if t.Host != "" {
			r.Header = []httpload.Field{{Name: "Host", Value: t.Host}}
		}
		if strings.HasPrefix(t.Gateway, "https://") {
			p.To.Transport.TLS = anyCertificate()
		}
	}
	p.Name = r.URL
	p.To.Requests = []anyload.Request{{Request: r}}
	if p.Load.Timeout, err = duration("timeout", s.Timeout, 10*time.Second, slowest); err != nil {
		return err
	}
	if scheme, _, _ := strings.Cut(r.URL, "://"); scheme != "http" && scheme != "https" {
		return wrong("url", "want http://HOST or https://HOST")
	}
	if _, err := anyload.New(p.To); err != nil {
		field := "url"
		if s.URL == "" {
			field = "path"
		}
		return wrong(field, "%v", err)
	}
	return nil
}

func (s *Spec) planStress(p *Plan, t *Target) (err error) {
	if err := s.aim(p, t); err != nil {
		return err
	}
	if p.Suite, err = stress.ParseSuite(cmp.Or(s.Suite, string(stress.Breakpoint))); err != nil {
		return wrong("suite", "%v", err)
	}
	search := p.Suite == stress.Breakpoint
	switch {
	case !search && s.Rate == 0:
		return wrong("rate", "the suite %s needs a normal rate", p.Suite)
	case search && (s.Rate != 0 || s.Duration != ""):
		return wrong("rate", "rate and duration are of the other suites; a search goes from min to max")
	case !search && (s.Min != 0 || s.Max != 0 || s.Step != "" || s.Precision != 0):
		return wrong("min", "min, max, step and precision are of a search: leave them or suite out")
	case search && cmp.Or(s.Max, fastest) < cmp.Or(s.Min, leastRate):
		return wrong("max", "must not be below min")
	}
	var def time.Duration
	if search {
		def = 500 * time.Millisecond
	}
	if p.P99, err = duration("p99", s.P99, def, time.Minute); err != nil {
		return err
	}
	if p.Step, err = duration("step", s.Step, 10*time.Second, 5*time.Minute); err != nil {
		return err
	}
	if p.Step < time.Second {
		return wrong("step", "want 1s or more")
	}
	if p.Length, err = duration("duration", s.Duration, 0, longest); err != nil {
		return err
	}
	return s.suite(p, search)
}

// leastRate is where a search begins unless said otherwise.
const leastRate = 10

// suite says what load comes of it, and how long that takes.
func (s *Spec) suite(p *Plan, search bool) error {
	if search {
		p.AtMost = longest
		return nil
	}
	p.Load.Open, p.Load.Stages = true, p.Suite.Stages(s.Rate, p.Length)
	if peak := peakOf(p.Load.Stages); peak > fastest {
		return wrong("rate", "the suite %s goes up to %.0f/s, and %d/s are the most", p.Suite, peak, fastest)
	}
	var list []string
	if p.P99 > 0 {
		list = append(list, fmt.Sprintf("p99<=%v", p.P99))
	}
	if s.Errors > 0 {
		list = append(list, fmt.Sprintf("errors<=%g%%", s.Errors))
	}
	for _, text := range list {
		o, err := loadtest.ParseObjective(text)
		if err != nil {
			return wrong("p99", "%v", err)
		}
		p.Load.Objectives = append(p.Load.Objectives, o)
	}
	p.AtMost = Length(&p.Load) + p.Load.Timeout
	return nil
}

func (s *Spec) planDrill(p *Plan) (err error) {
	switch {
	case s.Ledger != "" && !strings.HasPrefix(s.Ledger, "/"):
		return wrong("ledger", "want the whole path of the file")
	case s.Path != "" && !strings.HasPrefix(s.Path, "/"):
		return wrong("path", "a path begins with /")
	case s.Experiment == "":
		return &Refusal{Kind: Invalid, Field: "experiment", Message: "say which", Hint: "built in are " + strings.Join(drill.Names(), ", ")}
	case slices.Contains(drill.Names(), s.Experiment):
		p.Experiment, err = drill.Builtin(s.Experiment)
	case !strings.Contains(s.Experiment, "\n") && !strings.Contains(s.Experiment, "{"):
		return &Refusal{Kind: Invalid, Field: "experiment", Message: fmt.Sprintf("there is no experiment %q", s.Experiment), Hint: "there are " + strings.Join(drill.Names(), ", ")}
	default:
		p.Experiment, err = drill.Parse([]byte(s.Experiment), "experiment")
	}
	if err != nil {
		return wrong("experiment", "%v", err)
	}
	if s.Long {
		p.Experiment = p.Experiment.Stretch(long)
	}
	p.Name = p.Experiment.Name
	p.AtMost = p.Experiment.AtMost()
	return nil
}

// Peak is the highest rate of a load; 0: it has none, as users ask as fast as
// they are answered.
func Peak(l *loadtest.Config) float64 {
	switch {
	case !l.Open:
		return 0
	case len(l.Stages) == 0:
		return l.Rate
	}
	return peakOf(l.Stages)
}

func peakOf(stages []schedule.Stage) float64 {
	if len(stages) == 0 {
		return 0
	}
	curve, err := schedule.NewCurve(stages...)
	if err != nil {
		return math.Inf(1) // what cannot be drawn is refused
	}
	return curve.Peak()
}

// Length is how long a load lasts, warm-up included.
func Length(l *loadtest.Config) time.Duration {
	all := l.Warmup
	if len(l.Stages) == 0 {
		return all + l.RampUp + l.Duration
	}
	for i := range l.Stages {
		all += l.Stages[i].Duration
	}
	return all
}

// Foreign returns where the requests of a plan go that do not go to the
// gateway of this Holdfast.
func (p *Plan) Foreign(gateway string) []string {
	var list []string
	for i := range p.To.Requests {
		scheme, rest, _ := strings.Cut(p.To.Requests[i].URL, "://")
		if end := strings.IndexAny(rest, "/?#"); end >= 0 {
			rest = rest[:end]
		}
		scheme = cmp.Or(map[string]string{"ws": "http", "wss": "https"}[scheme], scheme)
		if at := scheme + "://" + rest; !sameListener(at, gateway) && !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	return list
}

// sameListener says that two URLs lead to one listener: the same address, or
// the name that this machine has for it. Another address of the loopback may be
// somebody else's.
func sameListener(a, b string) bool {
	u, err := url.Parse(a)
	if err != nil {
		return false
	}
	v, err := url.Parse(b)
	if err != nil || u.Scheme != v.Scheme || u.Port() != v.Port() {
		return false
	}
	ip, err := netip.ParseAddr(v.Hostname())
	return u.Host == v.Host || u.Hostname() == "localhost" && err == nil && ip.IsLoopback()
}

// Reachable makes an address that a listener has one that can be dialled.
func Reachable(gateway string) string {
	u, err := url.Parse(gateway)
	if err != nil {
		return gateway
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return u.String()
}
