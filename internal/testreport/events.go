package main

import (
	"bufio"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"time"
)

// event is one line of `go test -json`; `go doc test2json` describes the fields.
type event struct {
	Action      string
	Package     string
	ImportPath  string // build events name the package so
	Test        string
	Output      string
	Key, Value  string // of an attr event
	FailedBuild string
	Elapsed     float64 // seconds
}

// verdict is how a test, a check or a package ended.
type verdict uint8

const (
	unfinished verdict = iota // no end was reported: the process died under it
	passed
	failed
	skipped
)

type testRun struct {
	name    string
	verdict verdict
	parent  bool // has subtests, which count instead
	output  []string
	figures []string
}

type packageRun struct {
	path    string
	verdict verdict
	took    time.Duration
	cached  bool
	tests   []*testRun
	byName  map[string]*testRun
	output  []string // what belongs to no test: compiler messages, panics, leaks found by TestMain
}

// suiteRun is one `go test -json` as it is read.
type suiteRun struct {
	packages map[string]*packageRun
	builds   map[string][]string // compiler output by import path
	strays   []string            // lines that are no events
	ended    func(*packageRun)   // called as each package ends; may be nil
}

func newSuiteRun(ended func(*packageRun)) *suiteRun {
	return &suiteRun{packages: map[string]*packageRun{}, builds: map[string][]string{}, ended: ended}
}

// read consumes events until in ends. Lines that are not JSON are kept: they are complaints of the go command.
func (s *suiteRun) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *suiteRun) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		s.strays = append(s.strays, line)
		return
	}
	if strings.HasPrefix(e.Action, "build-") {
		path, _, _ := strings.Cut(e.ImportPath, " ") // "a/b [a/b.test]"
		s.builds[path] = append(s.builds[path], e.Output)
		return
	}
	p := s.packageOf(e.Package)
	if e.Test == "" {
		s.packageEvent(p, e)
		return
	}
	p.testOf(e.Test).apply(e)
}

func (s *suiteRun) packageOf(path string) *packageRun {
	p, ok := s.packages[path]
	if !ok {
		p = &packageRun{path: path, byName: map[string]*testRun{}}
		s.packages[path] = p
	}
	return p
}

func (s *suiteRun) packageEvent(p *packageRun, e event) {
	switch e.Action {
	case "output":
		p.cached = p.cached || strings.HasSuffix(e.Output, "\t(cached)\n")
		p.output = append(p.output, e.Output)
		return
	case "pass":
		p.verdict = passed
	case "fail":
		p.verdict = failed
		build, _, _ := strings.Cut(e.FailedBuild, " ")
		p.output = append(s.builds[build], p.output...)
	case "skip":
		p.verdict = skipped // no test files
	default:
		return
	}
	p.took = time.Duration(e.Elapsed * float64(time.Second))
	if s.ended != nil {
		s.ended(p)
	}
}

func (p *packageRun) testOf(name string) *testRun {
	if t, ok := p.byName[name]; ok {
		return t
	}
	t := &testRun{name: name}
	p.byName[name] = t
	p.tests = append(p.tests, t)
	p.markParent(name)
	return t
}

// markParent finds the test that a subtest belongs to: parents run first, and a subtest's own name may contain slashes.
func (p *packageRun) markParent(name string) {
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
		if parent, ok := p.byName[name[:i]]; ok {
			parent.parent = true
			return
		}
	}
}

func (t *testRun) apply(e event) {
	switch e.Action {
	case "output":
		t.output = append(t.output, e.Output)
	case "attr":
		t.figures = append(t.figures, e.Key+" "+e.Value)
	case "pass":
		t.verdict, t.output = passed, nil
	case "fail":
		t.verdict = failed
	case "skip":
		t.verdict = skipped
	}
}

// framing matches the lines with which go test marks progress; they say nothing that the report does not say.
var framing = regexp.MustCompile(`^\s*(=== (RUN|PAUSE|CONT|NAME|ATTR)|--- SKIP|PASS$|ok\s|\?\s)`)

// place matches the "file.go:12: " with which t.Log and t.Skip start a line.
var place = regexp.MustCompile(`^\s*[\w.-]+\.go:\d+: `)

// said returns output without framing.
func said(output []string) []string {
	var kept []string
	for _, l := range output {
		if !framing.MatchString(l) {
			kept = append(kept, l)
		}
	}
	return kept
}

// reason is why a skipped test skipped: the last thing it said.
func (t *testRun) reason() string {
	lines := said(t.output)
	if len(lines) == 0 {
		return "no reason given"
	}
	return strings.TrimSpace(place.ReplaceAllString(lines[len(lines)-1], ""))
}
