package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/app"
	"holdfast/internal/config"
	"holdfast/internal/telemetry"
)

// upFlags are the flags of `up`.
type upFlags struct {
	files       []string
	to          []string
	count       int
	demo        bool
	demoLedger  string
	listen      string
	adminListen string
	logLevel    string
	apiCommands bool
	replace     bool
	patience    time.Duration
}

func upCommand(g *global) *cobra.Command {
	f := &upFlags{}
	c := &cobra.Command{
		Use:   "up [-c FILE | --to ADDRESS | --demo | -- COMMAND [ARG...]]",
		Short: "Start Holdfast",
		Long: `Start Holdfast in front of functions and keep them up.

Without a file it needs no configuration: --to puts it in front of something
that runs, -- starts a command on a port of its own (in $PORT), watches and
restarts it. With -c, SIGHUP or a change of the file reads it again.

With --replace it takes over from a Holdfast that runs with the same data
directory: it starts its own instances, and once they are ready it gets the
listening sockets; the old one finishes what it has and ends. No request is
lost. If the new one does not become ready, the old one goes on.`,
		Example: `  holdfast up --to :3000 --to :3001
  holdfast up -n 3 -- node server.js
  holdfast up -c holdfast.yaml
  holdfast up -c holdfast.yaml --replace
  holdfast up --demo`,
		RunE: func(c *cobra.Command, args []string) error { return runUp(c, g, f, args) },
	}
	c.Flags().StringSliceVarP(&f.files, "config", "c", nil, "configuration file; several are merged in order (default holdfast.yaml if it is there)")
	c.Flags().StringSliceVar(&f.to, "to", nil, "address to forward to: :3000, host:3000, http://host:3000")
	c.Flags().IntVarP(&f.count, "instances", "n", 1, "how many of the command after -- to run")
	c.Flags().BoolVar(&f.demo, "demo", false, "run three demo functions to play with")
	c.Flags().StringVar(&f.demoLedger, "demo-ledger", "", "file, or postgres://USER@HOST/DB, in which the demo's instances note each POST to /api/NAME/ledger (for drills)")
	c.Flags().StringVar(&f.listen, "listen", "", "address for requests (default 127.0.0.1:8080; port 0: any)")
	c.Flags().StringVar(&f.adminListen, "admin-listen", "", "address for metrics and health (default 127.0.0.1:8081)")
	c.Flags().BoolVar(&f.replace, "replace", false, "take over from a running Holdfast with the same data directory, if there is one")
	c.Flags().DurationVar(&f.patience, "replace-timeout", time.Minute, "how long the functions may take to be ready before --replace gives up")
	c.Flags().BoolVar(&f.apiCommands, "allow-api-commands", false, "let the admin API set commands, files and environment of instances: an admin's token can then run programs here")
	c.Flags().StringVar(&f.logLevel, "log-level", "", "debug, info, warn or error")
	return c
}

func runUp(c *cobra.Command, g *global, f *upFlags, args []string) error {
	if err := f.check(c, args); err != nil {
		return err
	}
	o, err := f.options(g, args)
	if err != nil {
		return err
	}
	a, err := app.New(o)
	if err != nil {
		return explainProblems(err)
	}
	if err := announce(c.OutOrStdout(), a); err != nil {
		return err
	}
	ctx := c.Context()
	stopSignals := context.AfterFunc(ctx, func() {
		if g.env.Interrupted != nil {
			g.env.Interrupted()
		}
	})
	defer stopSignals()
	return a.Run(ctx)
}

// check refuses what would be ignored or mean something else than it says.
func (f *upFlags) check(c *cobra.Command, args []string) error {
	before := args // what is not behind a --
	if n := c.ArgsLenAtDash(); n >= 0 {
		before = args[:n]
	}
	empty := func(flag string, values []string) bool {
		return c.Flags().Changed(flag) && (len(values) == 0 || slices.Contains(values, ""))
	}
	switch {
	case len(before) > 0:
		return fmt.Errorf("put -c before a file, or -- before a command: %s is neither", before[0])
	case empty("config", f.files):
		return errors.New("-c has an empty path")
	case empty("to", f.to):
		return errors.New("--to has an empty address")
	case c.Flags().Changed("instances") && len(args) == 0:
		return errors.New("-n is how many of the command after -- to run, and there is none")
	case f.demoLedger != "" && !f.demo:
		return errors.New("--demo-ledger is for --demo; the command of your own function says where it keeps a ledger")
	case f.patience <= 0:
		return fmt.Errorf("--replace-timeout %s: must be more than 0", f.patience)
	}
	return program(args)
}

// program refuses a command that cannot be started: here, unlike in a file, the
// one who typed it sees it.
func program(args []string) error {
	if len(args) == 0 || strings.Contains(args[0], "{") { // which is another one for each instance
		return nil
	}
	_, err := exec.LookPath(args[0])
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrDot):
		return fmt.Errorf("the command after -- is in this directory: write ./%s", args[0])
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the command after -- does not exist: %s is no program here and none on the PATH", args[0])
	}
	return fmt.Errorf("the command after -- cannot be started, make %s an executable file: %w", args[0], errors.Unwrap(err))
}

// options turns flags into what app needs; exactly one source is allowed.
func (f *upFlags) options(g *global, args []string) (app.Options, error) {
	self, err := os.Executable()
	if err != nil {
		return app.Options{}, fmt.Errorf("find own binary: %w", err)
	}
	load, err := f.source(g, args, self)
	if err != nil {
		return app.Options{}, err
	}
	load.Environ = g.env.Environ
	load.Overrides = f.overrides(g)
	return app.Options{
		Config: load, Log: g.env.Stderr, Hangup: g.env.Hangup, Version: version,
		Guard: []string{self, "process-guard"}, Debug: debugComponents(g.env.Environ),
		Replace: f.replace, ReplaceTimeout: f.patience, APICommands: f.apiCommands, Successor: successor(g.env, self),
		Runs: app.Runs{Arguments: []string{runChild}, TakeBack: takeBack},
	}, nil
}

var errSources = errors.New("give only one of -c FILE, --to ADDRESS, --demo and -- COMMAND")

func (f *upFlags) source(g *global, args []string, self string) (config.Options, error) {
	given := 0
	for _, on := range []bool{len(f.files) > 0, len(f.to) > 0, f.demo, len(args) > 0} {
		if on {
			given++
		}
	}
	if given > 1 {
		return config.Options{}, errSources
	}
	var base *config.Config
	var err error
	switch {
	case len(f.to) > 0:
		base, err = config.ForTarget(f.to)
	case len(args) > 0:
		base, err = config.ForCommand(args, f.count)
	case f.demo:
		base, err = demoConfig(self, f.demoLedger)
	default:
		return f.fromFiles(g)
	}
	return config.Options{Base: base}, err
}

const defaultFile = "holdfast.yaml"

var errNothing = errors.New("nothing to keep up: there is no " + defaultFile + " here; try `holdfast up --to :3000`, `holdfast up -- COMMAND`, `holdfast up -c FILE` or `holdfast up --demo`")

// fromFiles takes the default file when none is named; without any, the
// environment may still describe everything.
func (f *upFlags) fromFiles(g *global) (config.Options, error) {
	if len(f.files) > 0 {
		return config.Options{Files: f.files}, nil
	}
	if _, err := os.Stat(defaultFile); err == nil {
		return config.Options{Files: []string{defaultFile}}, nil
	}
	if slices.ContainsFunc(g.env.Environ, func(kv string) bool { return strings.HasPrefix(kv, "LOAD_BALANCER_INSTANCES=") }) {
		return config.Options{}, nil
	}
	return config.Options{}, errNothing
}

// overrides are the keys set by flags.
func (f *upFlags) overrides(g *global) map[string]any {
	m := map[string]any{}
	for key, value := range map[string]string{
		"listen": f.listen, "admin.listen": f.adminListen, "log.level": f.logLevel, "data_dir": g.dataDir,
	} {
		if value != "" {
			m[key] = value
		}
	}
	return m
}

func debugComponents(environ []string) []string {
	var own, general string
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, "HOLDFAST_DEBUG="); ok {
			own = v
		}
		if v, ok := strings.CutPrefix(kv, "DEBUG="); ok {
			general = v
		}
	}
	return telemetry.DebugComponents(own, general)
}

// pagePath is where the admin interface has the page.
const pagePath = "/admin/monitoring"

// announce says where everything is; scripts read the first two lines.
func announce(w io.Writer, a *app.App) error {
	_, err := fmt.Fprintf(w, "gateway %s\nadmin   %s\npage    %s%s/\n", a.GatewayURL(), a.AdminURL(), a.AdminURL(), pagePath)
	for _, line := range a.Describe() {
		if err == nil {
			_, err = fmt.Fprintln(w, line)
		}
	}
	return err
}

// explainProblems puts each problem of a configuration on a line of its own.
func explainProblems(err error) error {
	if problems, ok := errors.AsType[config.Problems](err); ok && len(problems) > 1 {
		return fmt.Errorf("the configuration has %d problems:\n%w", len(problems), err)
	}
	return err
}

// demoFunctions are those of `up --demo`, and of a setup without a file.
func demoFunctions() []string { return []string{"admin", "attempts", "public"} }

// demoName is the place of a function's name in the command of its instances.
const demoName = 3

// demoConfig is the configuration of `up --demo`.
func demoConfig(self, ledger string) (*config.Config, error) {
	command := []string{self, "demo-function", "--name", "", "--id", "{id}", "--port", "{port}"}
	if ledger != "" {
		if !isDatabase(ledger) {
			path, err := filepath.Abs(ledger)
			if err != nil {
				return nil, fmt.Errorf("--demo-ledger: %w", err)
			}
			ledger = path
		}
		command = append(command, "--ledger", ledger)
	}
	c := config.Default()
	c.Functions = map[string]*config.Function{}
	for _, name := range demoFunctions() {
		f := config.NewFunction("function")
		f.Routes = []config.Route{{Path: "/api/" + name + "/"}}
		command[demoName] = name
		p := config.NewProcess(slices.Clone(command), 2)
		f.Platform.Process = p
		f.Health.Path, f.Health.Type = "/api/"+name+"/health", "http"
		c.Functions[name] = f
	}
	return c, nil
}
