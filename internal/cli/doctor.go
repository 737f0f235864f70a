package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/app"
	"holdfast/internal/config"
)

// finding is what one look of the doctor found. Without a fix there is nothing
// wrong.
type finding struct {
	About  string `json:"about"`
	State  string `json:"state"` // ok, warning or problem
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
	Page   string `json:"page,omitempty"` // of the documentation
}

const (
	fine    = "ok"
	warning = "warning"
	problem = "problem"

	doctorTimeout = 20 * time.Second
)

// doctor collects findings.
type doctor struct {
	g       *global
	files   []string
	config  *config.Config // nil: it could not be read
	running bool
	list    []finding
}

func (d *doctor) add(state, about, detail, fix, page string) {
	d.list = append(d.list, finding{about, state, detail, fix, page})
}

func (d *doctor) ok(about, format string, args ...any) {
	d.add(fine, about, fmt.Sprintf(format, args...), "", "")
}

func doctorCommand(g *global) *cobra.Command {
	d := &doctor{g: g}
	c := &cobra.Command{
		Use: "doctor [-c FILE]", Short: "Look for what is wrong, and say what helps",
		Long: `Look at the configuration, the ports, the limits of this machine, certificates,
the store, the clock, and, when a Holdfast runs, at its functions, instances and
breakers. Each finding comes with what helps and the page that says more.
Nothing is changed. Exit code 2: something is wrong.`,
		Example: "  holdfast doctor\n  holdfast doctor -c holdfast.yaml -o json",
		Args:    noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := context.WithTimeout(c.Context(), doctorTimeout)
			defer stop()
			d.look(ctx)
			return d.report(c)
		},
	}
	c.Flags().StringSliceVarP(&d.files, "config", "c", nil, "configuration file (default "+defaultFile+" if it is there)")
	return c
}

func (d *doctor) look(ctx context.Context) {
	d.lookAtRunning(ctx)
	if d.g.url != "" {
		return // the rest is about this machine
	}
	d.lookAtConfiguration()
	d.lookAtLimits()
	d.lookAtClock()
	if d.config == nil {
		return
	}
	d.lookAtDataDir()
	d.lookAtCertificates()
	if !d.running {
		d.lookAtPorts()
		d.lookAtStore(ctx)
		d.lookAtInstances(ctx)
	}
}

func (d *doctor) lookAtConfiguration() {
	files := d.files
	if len(files) == 0 {
		if _, err := os.Stat(defaultFile); errors.Is(err, fs.ErrNotExist) {
			if !d.running {
				d.add(warning, "configuration", "there is no "+defaultFile+" here", "holdfast init writes one; -c names another", "quickstart.md")
			}
			if c, _, err := config.Load(config.Options{Environ: d.g.env.Environ}); err == nil {
				d.config = c
				d.useDataDir()
			}
			return
		}
		files = []string{defaultFile}
	}
	c, _, err := config.Load(config.Options{Files: files, Environ: d.g.env.Environ})
	if err == nil {
		err = app.Check(c)
	}
	if problems, ok := errors.AsType[config.Problems](err); ok {
		for _, p := range problems {
			p.Hint = ""
			d.add(problem, "configuration", p.Error(), "mend it; holdfast check -c FILE tells when it is right", "configuration.md")
		}
		return
	}
	if err != nil {
		d.add(problem, "configuration", err.Error(), "mend it; holdfast check -c FILE tells when it is right", "configuration.md")
		return
	}
	d.config = c
	d.useDataDir()
	d.ok("configuration", "%s: %s", strings.Join(files, ", "), counted(len(c.Functions), "function"))
	for _, w := range warnings(c) {
		d.add(warning, "configuration", w, "leave it out, or wait for the version that does", "configuration.md")
	}
}

// useDataDir lets the flag win, as it does for up.
func (d *doctor) useDataDir() {
	if d.g.dataDir != "" {
		d.config.DataDir = d.g.dataDir
	}
}

// report prints what was found, worst first.
func (d *doctor) report(c *cobra.Command) error {
	var sorted []finding
	counts := map[string]int{}
	for _, state := range []string{problem, warning, fine} {
		for _, f := range d.list {
			if f.State == state {
				sorted = append(sorted, f)
				counts[state]++
			}
		}
	}
	var err error
	if d.g.json() {
		err = encodeIndented(c.OutOrStdout(), map[string]any{"ok": counts[problem] == 0, "findings": sorted})
	} else {
		err = writeFindings(d.g.screen(c.OutOrStdout()), sorted)
	}
	if err == nil && counts[problem] > 0 {
		return withCode(exitFailed, fmt.Errorf("%s, %s", counted(counts[problem], "problem"), counted(counts[warning], "warning")))
	}
	return err
}

func writeFindings(s *screen, list []finding) error {
	marks := map[string]cell{fine: {"ok      ", green}, warning: {"warning ", yellow}, problem: {"problem ", red}}
	for _, f := range list {
		mark := marks[f.State]
		lines := []string{f.About + ": " + f.Detail}
		if f.Fix != "" {
			lines = append(lines, "    help: "+f.Fix)
		}
		if f.Page != "" {
			lines = append(lines, "    more: docs/"+f.Page)
		}
		if _, err := fmt.Fprint(s.w, s.paint(mark.text, mark.colour)); err != nil {
			return err
		}
		if err := writeLines(s, lines); err != nil {
			return err
		}
	}
	return nil
}
