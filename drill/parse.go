package drill

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

type file struct {
	Name      string   `yaml:"name"`
	About     string   `yaml:"about"`
	Baseline  duration `yaml:"baseline"`
	Fault     duration `yaml:"fault"`
	Recovery  duration `yaml:"recovery"`
	Instances int      `yaml:"instances"`
	Load      struct {
		Rate    float64  `yaml:"rate"`
		Surge   float64  `yaml:"surge"`
		Posts   float64  `yaml:"posts"`
		Timeout duration `yaml:"timeout"`
		Slow    duration `yaml:"slow"`
	} `yaml:"load"`
	Steady []string `yaml:"steady"`
	Inject []step   `yaml:"inject"`
	Expect []string `yaml:"expect"`
}

type step struct {
	Do    string   `yaml:"do"`
	Whom  string   `yaml:"whom"`
	At    duration `yaml:"at"`
	For   duration `yaml:"for"`
	Every duration `yaml:"every"`
	Value int      `yaml:"value"`
	Path  string   `yaml:"path"`
	Text  string   `yaml:"text"`
}

const (
	maxFile        = 256 << 10
	defaultTimeout = 10 * time.Second
	defaultSlow    = 250 * time.Millisecond
)

// Parse reads an experiment; name is that of the file, for errors, which name
// the line too. Unknown keys are errors.
//
//	name: failover
//	about: An instance is gone.
//	instances: 2                   # so many must run, or it is skipped
//	baseline: 3s
//	fault: 8s
//	recovery: 6s
//	load: {rate: 60, posts: 0.2, surge: 1, timeout: 10s, slow: 250ms}
//	steady: ["availability>=99%"]  # of the baseline
//	inject:
//	  - {do: kill, whom: one}                                     # at: 0s
//	  - {do: refuse, whom: another, at: 3s, for: 4s}              # or freeze, drop, drain
//	  - {do: freeze, whom: one, for: 400ms, every: 600ms}         # pulses
//	  - {do: cpu, whom: all, value: 10}                           # percent of one CPU
//	  - {do: scale, value: 2}                                     # two instances more
//	  - {do: set, path: health.path, text: /nowhere}              # configuration of the function
//	  - {do: lose-store}
//	  - {do: lose-database, text: drop}                           # or refuse
//	  - {do: tcp, whom: busiest, text: "latency=50ms~20ms, reset@10%"}  # see package fault
//	  - {do: http, whom: busiest, text: "status=503@10%"}         # see package httpfault
//	expect: ["availability>=99%", "detect<5s", duplicates<=0]
func Parse(data []byte, name string) (x *Experiment, err error) {
	// The YAML library panics on some texts that it cannot decode, tags without a value among them.
	defer func() {
		if recover() != nil {
			x, err = nil, fmt.Errorf("%s: this is no YAML that can be read; leave out tags (!), anchors (&) and aliases (*)", name)
		}
	}()

	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: the experiment has %d bytes, and %d at most are read", name, len(data), maxFile)
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntax(name, err)
	}
	var f file
	if err := yaml.UnmarshalWithOptions(data, &f, yaml.Strict()); err != nil {
		return nil, syntax(name, err)
	}
	e, p := f.experiment()
	if p == nil {
		p = e.check()
	}
	if p != nil {
		return nil, fmt.Errorf("%s%s: %w", name, line(tree, p.key), p.err)
	}
	return e, nil
}

func (f *file) experiment() (*Experiment, *problem) {
	e := &Experiment{
		Name: f.Name, About: f.About, Instances: f.Instances,
		Baseline: time.Duration(f.Baseline), Fault: time.Duration(f.Fault), Recovery: time.Duration(f.Recovery),
		Load: Load{Rate: f.Load.Rate, Surge: f.Load.Surge, Posts: f.Load.Posts, Timeout: time.Duration(f.Load.Timeout), Slow: time.Duration(f.Load.Slow)},
	}
	if e.Load.Timeout == 0 {
		e.Load.Timeout = defaultTimeout
	}
	if e.Load.Slow == 0 {
		e.Load.Slow = defaultSlow
	}
	for _, s := range f.Inject {
		e.Inject = append(e.Inject, Step{
			Do: Action(s.Do), Whom: Whom(s.Whom), At: time.Duration(s.At), For: time.Duration(s.For),
			Every: time.Duration(s.Every), Value: s.Value, Path: s.Path, Text: s.Text,
		})
	}
	for _, part := range []struct {
		key  string
		text []string
		into *[]Expectation
	}{{"steady", f.Steady, &e.Steady}, {"expect", f.Expect, &e.Expect}} {
		for i, text := range part.text {
			x, err := ParseExpectation(text)
			if err != nil {
				return nil, &problem{fmt.Sprintf("%s[%d]", part.key, i), fmt.Errorf("%s: %w", part.key, err)}
			}
			*part.into = append(*part.into, x)
		}
	}
	return e, nil
}

type duration time.Duration

// UnmarshalYAML reads 30s.
func (v *duration) UnmarshalYAML(node ast.Node) error {
	t := node.GetToken()
	d, err := time.ParseDuration(t.Value)
	if err != nil || d < 0 {
		return &yaml.SyntaxError{Message: fmt.Sprintf("want a duration like 30s, not %q", t.Value), Token: t}
	}
	*v = duration(d)
	return nil
}

// syntax is an error of the YAML library in one line with its place.
func syntax(name string, err error) error {
	if y, ok := errors.AsType[yaml.Error](err); ok {
		if t := y.GetToken(); t != nil {
			return fmt.Errorf("%s:%d: %s", name, t.Position.Line, y.GetMessage())
		}
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s: %s", name, text)
}

// line is ":12", that of a key or of the nearest one around it.
func line(tree *ast.File, key string) string {
	for key != "" {
		if p, err := yaml.PathString("$." + key); err == nil {
			if node, err := p.FilterFile(tree); err == nil && node != nil && node.GetToken() != nil {
				return ":" + strconv.Itoa(node.GetToken().Position.Line)
			}
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return ":1"
}
