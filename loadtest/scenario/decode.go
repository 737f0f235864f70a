package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"holdfast/loadtest/httpload"
)

// file is a scenario as it is written.
type file struct {
	Target      string            `yaml:"target"`
	Rate        float64           `yaml:"rate"`
	Users       int               `yaml:"users"`
	Duration    duration          `yaml:"duration"`
	RampUp      duration          `yaml:"ramp_up"`
	WarmUp      duration          `yaml:"warm_up"`
	MaxRequests int64             `yaml:"max_requests"`
	Arrivals    string            `yaml:"arrivals"`
	Stages      []stage           `yaml:"stages"`
	Seed        uint64            `yaml:"seed"`
	Timeout     duration          `yaml:"timeout"`
	MaxInFlight int               `yaml:"max_in_flight"`
	MaxWait     duration          `yaml:"max_wait"`
	CatchUp     float64           `yaml:"catch_up"`
	Polite      bool              `yaml:"polite"`
	Protocol    string            `yaml:"protocol"`
	ProtoSet    string            `yaml:"proto_set"`
	Connections connections       `yaml:"connections"`
	Cookies     bool              `yaml:"cookies"`
	Headers     map[string]string `yaml:"headers"`
	Auth        auth              `yaml:"auth"`
	Feed        feed              `yaml:"feed"`
	Requests    []request         `yaml:"requests"`
	Objectives  []string          `yaml:"objectives"`
}

type stage struct {
	Name      string   `yaml:"name"`
	Shape     string   `yaml:"shape"`
	Rate      float64  `yaml:"rate"`
	Users     float64  `yaml:"users"`
	Amplitude float64  `yaml:"amplitude"`
	Period    duration `yaml:"period"`
	Duration  duration `yaml:"duration"`
}

type connections struct {
	KeepAlive *bool    `yaml:"keep_alive"`
	MaxAge    duration `yaml:"max_age"`
	Timeout   duration `yaml:"timeout"`
	Users     int      `yaml:"users"`
	Protocol  string   `yaml:"statements"`
	Requests  struct {
		Min int `yaml:"min"`
		Max int `yaml:"max"`
	} `yaml:"requests"`
}

type auth struct {
	Bearer   string `yaml:"bearer"`
	User     string `yaml:"user"`
	Password string `yaml:"password"`
}

type feed struct {
	File  string `yaml:"file"`
	Order string `yaml:"order"`
}

type request struct {
	Name     string            `yaml:"name"`
	Weight   int               `yaml:"weight"`
	Method   string            `yaml:"method"`
	Path     string            `yaml:"path"`
	URL      string            `yaml:"url"`
	Headers  map[string]string `yaml:"headers"`
	Body     string            `yaml:"body"`
	Verbatim bool              `yaml:"verbatim"`
	Protocol string            `yaml:"protocol"`
	Message  string            `yaml:"message"`
	Binary   bool              `yaml:"binary"`
	Echo     bool              `yaml:"echo"`
	Answer   string            `yaml:"answer"`
	Data     string            `yaml:"data"`
	Query    string            `yaml:"query"`
	Params   []string          `yaml:"params"`
	Checks   []check           `yaml:"checks"`
}

// check has httpload.Check's fields.
type check struct {
	Status   string `yaml:"status"`
	Header   string `yaml:"header"`
	JSON     string `yaml:"json"`
	Rows     string `yaml:"rows"`
	Column   string `yaml:"column"`
	Equals   string `yaml:"equals"`
	Contains string `yaml:"contains"`
	Matches  string `yaml:"matches"`
}

var _ = httpload.Check(check{})

// maxFile bounds a scenario.
const maxFile = 1 << 20

// document is a file that is being read.
type document struct {
	from *Place
	tree *ast.File
	file file
}

func decode(data []byte, from *Place) (d *document, err error) {
	// The YAML library panics on some texts that it cannot decode, tags without a value among them.
	defer func() {
		if recover() != nil {
			d, err = nil, fmt.Errorf("%s: this is no YAML that can be read; leave out tags (!), anchors (&) and aliases (*)", from.Name)
		}
	}()

	d = &document{from: from}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: the scenario has %d bytes, and %d at most are read", from.Name, len(data), maxFile)
	}
	if data, err = d.expand(data); err != nil {
		return nil, err
	}
	if d.tree, err = parser.ParseBytes(data, 0); err != nil {
		return nil, d.syntax(err)
	}
	if len(d.tree.Docs) > 1 {
		return nil, fmt.Errorf("%s: a scenario is one document, and here are %d", from.Name, len(d.tree.Docs))
	}
	if err := yaml.UnmarshalWithOptions(data, &d.file, yaml.Strict()); err != nil {
		return nil, d.syntax(err)
	}
	return d, nil
}

// UnmarshalYAML reads 30s, or milliseconds.
func (v *duration) UnmarshalYAML(node ast.Node) error {
	t := node.GetToken()
	if ms, err := strconv.ParseInt(t.Value, 10, 64); err == nil && ms >= 0 && ms < 1<<40 {
		*v = duration(time.Duration(ms) * time.Millisecond)
		return nil
	}
	d, err := time.ParseDuration(t.Value)
	if err != nil || d < 0 {
		return &yaml.SyntaxError{Message: fmt.Sprintf("want a duration like 30s, or milliseconds, not %q", t.Value), Token: t}
	}
	*v = duration(d)
	return nil
}

// expand fills in ${NAME}. What is filled in cannot add lines, so it cannot add keys, and lines stay what they were.
func (d *document) expand(data []byte) ([]byte, error) {
	var out []byte
	var all error
	line, done := 1, 0
	for _, at := range regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`).FindAllIndex(data, -1) {
		before, name := data[done:at[0]], string(data[at[0]+2:at[1]-1])
		line, done = line+bytes.Count(before, []byte("\n")), at[1]
		value, err := d.variable(name)
		if err != nil {
			all = errors.Join(all, fmt.Errorf("%s:%d: %w", d.from.Name, line, err))
		}
		out = append(append(out, before...), value...)
	}
	return append(out, data[done:]...), all
}

func (d *document) variable(name string) (string, error) {
	value, ok := "", false
	if d.from.Lookup != nil {
		value, ok = d.from.Lookup(name)
	}
	switch {
	case !ok:
		return "", fmt.Errorf("the environment has no %s, which the scenario asks for", name)
	case strings.ContainsAny(value, "\r\n\"'\\"):
		return "", fmt.Errorf("the value of %s in the environment has a line end, quote or backslash, which would end the text it stands in", name)
	}
	return value, nil
}

// syntax is an error of the YAML library, in one line with its place.
func (d *document) syntax(err error) error {
	if y, ok := errors.AsType[yaml.Error](err); ok {
		if t := y.GetToken(); t != nil {
			return fmt.Errorf("%s:%d: %s", d.from.Name, t.Position.Line, y.GetMessage())
		}
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s: %s", d.from.Name, line)
}

// fail is an error at the place that a path leads to.
func (d *document) fail(path string, err error) error {
	return fmt.Errorf("%s%s: %w", d.from.Name, d.line(path), err)
}

func (d *document) failf(path, format string, args ...any) error {
	return d.fail(path, fmt.Errorf(format, args...))
}

// line is ":12", or "" when the path leads nowhere.
func (d *document) line(path string) string {
	p, err := yaml.PathString(path)
	if err != nil {
		return ""
	}
	node, err := p.FilterFile(d.tree)
	if err != nil || node == nil || node.GetToken() == nil {
		return ""
	}
	return ":" + strconv.Itoa(node.GetToken().Position.Line)
}
