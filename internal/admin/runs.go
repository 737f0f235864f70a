package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/drill"
	"holdfast/internal/admin/access"
	"holdfast/internal/runs"
	"holdfast/internal/store"
	"holdfast/internal/telemetry"
	"holdfast/loadtest/compare"
	"holdfast/loadtest/report"
)

// RunList is the runs that are kept, newest first.
type RunList struct {
	Runs []runs.Run `json:"runs"`
}

// RunDetail is a run with what it measured.
type RunDetail struct {
	runs.Run

	Timeline []runs.Moment   `json:"timeline" doc:"the last moments: figures of each second, faults, notes; on the clock of this machine"`
	Result   json.RawMessage `json:"result,omitempty" doc:"the report, once there is one: of a load and of suites as of holdfast load, of a search as of holdfast stress -o json, of a drill as of holdfast drill -o json"`
}

// whichRun names a run.
type whichRun struct {
	ID string `path:"id" doc:"of the run" maxLength:"64"`
}

func (a *api) addRuns() {
	s := a.server
	const path, tag = "/api/v1/runs", "runs"
	handle(a, op{
		id: "runs", method: http.MethodGet, path: path, tag: tag, role: store.Viewer, errors: []int{503},
		summary: "Load tests, stress tests and drills, newest first",
	}, s.listRuns)
	handle(a, op{
		id: "run-start", method: http.MethodPost, path: path, tag: tag, role: store.Operator, errors: []int{404, 409, 503},
		summary: "Start a load test, stress test or drill",
		about: "It is carried out by a process of its own with limits. A drill, and a url or scenario that is not for the gateway, need the role admin; " +
			"what such a url leads to must be public or listed in admin.allow_instances.",
	}, s.startRun)
	handle(a, op{
		id: "runs-compare", method: http.MethodGet, path: path + "/compare", tag: tag, role: store.Viewer, errors: []int{404, 503},
		summary: "Whether two load tests differ, and how sure that is",
	}, s.compareRuns)
	handle(a, op{
		id: "run", method: http.MethodGet, path: path + "/{id}", tag: tag, role: store.Viewer, errors: []int{404, 503},
		summary: "One run: how it is, its timeline and its report",
	}, s.oneRun)
	handle(a, op{
		id: "run-stop", method: http.MethodPost, path: path + "/{id}/stop", tag: tag, role: store.Operator, errors: []int{404, 409, 503},
		summary: "Stop a run; what a drill did is taken back", about: "It is over when its state says so.",
	}, s.stopRun)
	handle(a, op{
		id: "experiments", method: http.MethodGet, path: "/api/v1/experiments", tag: tag, role: store.Viewer,
		summary: "The drills that are built in",
	}, listExperiments)
	a.addRunReport(path+"/{id}/report", tag)
	a.addRunEvents(path+"/{id}/events", tag)
}

var errNoRuns = refuse(http.StatusServiceUnavailable, "", "this Holdfast carries out no runs")

func (s *Server) listRuns(context.Context, *nothing) (RunList, error) {
	if s.config.Runs == nil {
		return RunList{}, errNoRuns
	}
	return RunList{s.config.Runs.List()}, nil
}

// Experiments are the drills that are built in, in the order they are told.
type Experiments struct {
	Experiments []BuiltinDrill `json:"experiments"`
}

// BuiltinDrill is one of them.
type BuiltinDrill struct {
	Name      string  `json:"name"`
	About     string  `json:"about" doc:"what is done, in a sentence"`
	Instances int     `json:"instances" doc:"so many must take traffic, or it is skipped"`
	Seconds   float64 `json:"seconds" doc:"how long it takes, in its short form"`
}

func listExperiments(context.Context, *nothing) (Experiments, error) {
	var v Experiments
	for _, name := range drill.Names() {
		x, err := drill.Builtin(name)
		if err != nil {
			return v, fmt.Errorf("list experiments: %w", err)
		}
		v.Experiments = append(v.Experiments, BuiltinDrill{x.Name, x.About, x.Instances, (x.Baseline + x.Fault + x.Recovery).Seconds()})
	}
	return v, nil
}

func (s *Server) oneRun(_ context.Context, in *whichRun) (RunDetail, error) {
	if s.config.Runs == nil {
		return RunDetail{}, errNoRuns
	}
	run, err := s.config.Runs.Get(in.ID)
	if err != nil {
		return RunDetail{}, err
	}
	line, err := s.config.Runs.Line(in.ID)
	if err != nil {
		return RunDetail{}, err
	}
	v := RunDetail{Run: run}
	v.Timeline, _, _ = line.Since(0)
	if run.Report {
		v.Result, err = s.config.Runs.Report(in.ID)
		v.Result = bytes.TrimSpace(v.Result)
	}
	return v, err
}

func (s *Server) startRun(ctx context.Context, in *struct{ Body runs.Spec }) (runs.Run, error) {
	if s.config.Runs == nil {
		return runs.Run{}, errNoRuns
	}
	p, err := s.config.Runs.Prepare(in.Body)
	if err != nil {
		return runs.Run{}, err
	}
	if err := s.mayRun(ctx, &in.Body, p); err != nil {
		return runs.Run{}, err
	}
	var v runs.Run
	who := access.FromContext(ctx).Actor().Name
	err = s.audited(ctx, access.Change{Action: "run.start", Target: in.Body.Kind, After: auditable(in.Body)}, func() (err error) {
		v, err = s.config.Runs.Start(p, who)
		return err
	})
	return v, err
}

// auditable leaves out what may hold secrets.
func auditable(b runs.Spec) runs.Spec { //nolint:gocritic // the copy is changed
	b.Scenario, b.Body = "", ""
	return b
}

// mayRun asks for more than an operator where more than a function's own
// traffic is touched.
func (s *Server) mayRun(ctx context.Context, b *runs.Spec, p *runs.Prepared) error {
	foreign := p.Foreign()
	if b.Kind == runs.Drill || len(foreign) > 0 {
		if err := access.Check(ctx, store.Admin); err != nil {
			return err
		}
	}
	for _, url := range foreign {
		if s.config.CheckURL == nil {
			break
		}
		if err := s.config.CheckURL(ctx, url); err != nil {
			e := refuse(http.StatusBadRequest, "list its address in admin.allow_instances, or load a function", "%s: %v", access.Mask(url), err)
			if e.Field = "url"; b.URL == "" {
				e.Field = "scenario"
			}
			return e
		}
	}
	return nil
}

func (s *Server) stopRun(ctx context.Context, in *whichRun) (runs.Run, error) {
	if s.config.Runs == nil {
		return runs.Run{}, errNoRuns
	}
	if _, err := s.config.Runs.Get(in.ID); err != nil {
		return runs.Run{}, err
	}
	var v runs.Run
	err := s.audited(ctx, access.Change{Action: "run.stop", Target: in.ID}, func() (err error) {
		v, err = s.config.Runs.Stop(in.ID)
		return err
	})
	return v, err
}

// reportFormats are what a report can be.
func reportFormats() map[string]struct {
	kind  string
	write func(*report.Document, *bytes.Buffer) error
} {
	type format = struct {
		kind  string
		write func(*report.Document, *bytes.Buffer) error
	}
	return map[string]format{
		"html":     {"text/html; charset=utf-8", func(d *report.Document, b *bytes.Buffer) error { return d.HTML(b) }},
		"csv":      {"text/csv; charset=utf-8", func(d *report.Document, b *bytes.Buffer) error { return d.CSV(b) }},
		"markdown": {"text/markdown; charset=utf-8", func(d *report.Document, b *bytes.Buffer) error { return d.Markdown(b) }},
		"junit":    {"application/xml", func(d *report.Document, b *bytes.Buffer) error { return d.JUnit(b) }},
	}
}

// whichReport names a report and what it is to be.
type whichReport struct {
	ID     string `path:"id" doc:"of the run" maxLength:"64"`
	Format string `query:"format" enum:"json,html,csv,markdown,junit" default:"json" doc:"json, or a page, seconds, a summary, or JUnit; a search has JSON only"`
}

// anyText is an answer that says itself what it is.
type anyText struct {
	Type        string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (a *api) addRunReport(path, tag string) {
	o := a.operation(op{
		id: "run-report", method: http.MethodGet, path: path, tag: tag, role: store.Viewer, errors: []int{404, 503},
		summary: "The report of a run as a file",
	})
	content := map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{}}}
	for _, f := range reportFormats() {
		kind, _, _ := strings.Cut(f.kind, ";")
		content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: content}}
	huma.Register(a.API, o, func(_ context.Context, in *whichReport) (*anyText, error) {
		v, err := a.server.runReport(in)
		if err != nil {
			return nil, asError(err)
		}
		return v, nil
	})
}

func (s *Server) runReport(in *whichReport) (*anyText, error) {
	if s.config.Runs == nil {
		return nil, errNoRuns
	}
	b, err := s.config.Runs.Report(in.ID)
	if err != nil {
		return nil, err
	}
	f, ok := reportFormats()[in.Format]
	if !ok {
		return &anyText{"application/json; charset=utf-8", "", b}, nil
	}
	d, err := loadOf(in.ID, b)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := f.write(d, &out); err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	// A page of figures is for looking at on its own: it is saved, not shown by this origin.
	return &anyText{f.kind, `attachment; filename="` + in.ID + "." + in.Format + `"`, out.Bytes()}, nil
}

// loadOf is what a run's generator measured.
func loadOf(id string, b []byte) (*report.Document, error) {
	var drills struct {
		Drills []struct {
			Load json.RawMessage `json:"load"`
		} `json:"drills"`
	}
	if json.Unmarshal(b, &drills) == nil && len(drills.Drills) == 1 && len(drills.Drills[0].Load) > 0 {
		b = drills.Drills[0].Load
	}
	d, err := report.Read(bytes.NewReader(b))
	if err != nil {
		return nil, refuse(http.StatusNotFound, "its report is there as JSON", "the run %s has no figures of a load", access.Mask(id))
	}
	return d, nil
}

// whichTwo names two runs.
type whichTwo struct {
	A         string  `query:"a" required:"true" maxLength:"2048" doc:"the run before, or several with commas between them"`
	B         string  `query:"b" required:"true" maxLength:"2048" doc:"the run after, or several"`
	Threshold float64 `query:"threshold" default:"5" minimum:"0.01" maximum:"1000" doc:"change that matters, in percent"`
}

func (s *Server) compareRuns(_ context.Context, in *whichTwo) (*compare.Comparison, error) {
	if s.config.Runs == nil {
		return nil, errNoRuns
	}
	left := mostComparedBytes
	before, err := s.loadsOf(in.A, &left)
	if err != nil {
		return nil, err
	}
	after, err := s.loadsOf(in.B, &left)
	if err != nil {
		return nil, err
	}
	found, err := compare.Runs(before, after, compare.Options{Threshold: in.Threshold / 100})
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "", "%v", err)
	}
	return found, nil
}

// mostCompared is how many runs of each side are compared, and
// mostComparedBytes how large the reports of both may be together.
const (
	mostCompared      = 20
	mostComparedBytes = 64 << 20
)

// loadsOf reads reports, of which left more bytes may be read.
func (s *Server) loadsOf(ids string, left *int) ([]*report.Document, error) {
	var list []*report.Document
	for id := range strings.SplitSeq(ids, ",") {
		if len(list) == mostCompared {
			return nil, refuse(http.StatusBadRequest, "", "at most %d runs of each side are compared", mostCompared)
		}
		b, err := s.config.Runs.Report(strings.TrimSpace(id))
		if err != nil {
			return nil, err
		}
		if *left -= len(b); *left < 0 {
			return nil, refuse(http.StatusBadRequest, "", "these reports have more than %d MiB together: compare fewer", mostComparedBytes>>20)
		}
		d, err := loadOf(id, b)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// endedRuns is what became of runs as metrics show it.
func endedRuns(r *runs.Runs) telemetry.Runs {
	ended, under := r.Totals()
	v := telemetry.Runs{Ended: map[telemetry.RunEnd]int{}, Under: under}
	for e, n := range ended {
		v.Ended[telemetry.RunEnd{Kind: e.Kind, Outcome: string(e.State)}] = n
	}
	return v
}
