package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/app"
	"holdfast/internal/config"
)

// checked is what `check -o json` prints.
type checked struct {
	OK        bool             `json:"ok"`
	Functions int              `json:"functions"`
	Routes    int              `json:"routes"`
	Instances int              `json:"instances"`
	Problems  []checkedProblem `json:"problems"`
	Warnings  []string         `json:"warnings"`
}

type checkedProblem struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Variable string `json:"variable,omitempty"`
	Path     string `json:"path,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

func checkCommand(g *global) *cobra.Command {
	var files []string
	c := &cobra.Command{
		Use: "check [-c FILE]", Short: "Check a configuration without starting anything",
		Long: `Check a configuration, with the environment as it is here, and list everything
that is wrong with it at once. Nothing is started and no running Holdfast is
asked.`,
		Example: "  holdfast check -c holdfast.yaml\n  holdfast check -c holdfast.yaml -o json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(files) == 0 {
				files = []string{defaultFile}
			}
			return check(c, g, files)
		},
	}
	c.Flags().StringSliceVarP(&files, "config", "c", nil, "configuration file; several are merged in order (default "+defaultFile+")")
	return c
}

func check(c *cobra.Command, g *global, files []string) error {
	conf, _, err := config.Load(config.Options{Files: files, Environ: g.env.Environ})
	if err == nil {
		err = app.Check(conf)
	}
	name := strings.Join(files, ", ")
	if g.json() {
		return checkJSON(c.OutOrStdout(), name, conf, err)
	}
	problems, isProblems := errors.AsType[config.Problems](err)
	if isProblems {
		for _, p := range problems {
			fmt.Fprintln(c.ErrOrStderr(), clean(p.Error()))
		}
		return fmt.Errorf("%s: %s", name, counted(len(problems), "problem"))
	}
	if err != nil {
		return err
	}
	for _, w := range warnings(conf) {
		fmt.Fprintln(c.ErrOrStderr(), "warning:", clean(w))
	}
	v := count(conf)
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s is fine: %s, %s, %s\n", name,
		counted(v.Functions, "function"), counted(v.Routes, "route"), counted(v.Instances, "instance"))
	return err
}

// count says how much there is in a configuration.
func count(c *config.Config) checked {
	v := checked{OK: true, Functions: len(c.Functions), Problems: []checkedProblem{}, Warnings: []string{}}
	for _, f := range c.Functions {
		v.Routes += len(f.Routes)
		v.Instances += len(f.Instances)
		if p := f.Platform.Process; p != nil {
			v.Instances += p.Instances
		}
	}
	return v
}

func checkJSON(w io.Writer, name string, c *config.Config, err error) error {
	v := checked{Problems: []checkedProblem{}, Warnings: []string{}}
	problems, isProblems := errors.AsType[config.Problems](err)
	switch {
	case isProblems:
		for _, p := range problems {
			v.Problems = append(v.Problems, checkedProblem{p.File, p.Line, p.Column, p.Variable, p.Path, p.Message, p.Hint})
		}
	case err != nil:
		v.Problems = append(v.Problems, checkedProblem{Message: err.Error()})
	default:
		v = count(c)
		v.Warnings = append(v.Warnings, warnings(c)...)
	}
	if err := encodeIndented(w, &v); err != nil {
		return err
	}
	if !v.OK {
		return fmt.Errorf("%s: %s", name, counted(len(v.Problems), "problem"))
	}
	return nil
}

func encodeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// warnings name the keys that were set and are not acted on: those of parts to
// come, and of scaling where Holdfast starts nothing.
func warnings(c *config.Config) []string {
	plain := *c
	plain.Pool = config.Default().Pool
	plain.Functions = make(map[string]*config.Function, len(c.Functions))
	for name, f := range c.Functions {
		if f.Platform.Name() != "" {
			plain.Functions[name] = f
			continue
		}
		copied := *f
		copied.Scaling = config.NewFunction(f.Profile).Scaling
		copied.Scaling.MinInstances, copied.Scaling.MaxInstances = f.Scaling.MinInstances, f.Scaling.MaxInstances // bound orders
		plain.Functions[name] = &copied
	}
	var list []string
	for _, change := range config.Diff(&plain, c) {
		why := "is read but not acted on by this version"
		if strings.HasPrefix(change.Path, "functions.") {
			why = "has no effect: only instances of a platform are scaled, such as platform: {process: ...}"
		}
		list = append(list, change.Path+" "+why)
	}
	return list
}
