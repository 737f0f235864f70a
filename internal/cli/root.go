// Package cli is the command line: one file per command. A command reads its
// flags, does one thing and prints it, as a table or as JSON. Commands about a
// running Holdfast ask it through the local socket in its data directory.
//
// Exit codes: 0 done, 1 usage, configuration or internal error, 2 a check or
// objective failed, 3 target unreachable, 4 the load generator itself was the
// limit, 130 interrupted with a report.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Environment is what the process gives a command.
type Environment struct {
	Args           []string
	Environ        []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Hangup         <-chan os.Signal // SIGHUP: read the configuration again
	// Interrupted gives signals their usual meaning back: a second Ctrl-C ends
	// the process at once. May be nil.
	Interrupted func()
}

// Exit codes.
const (
	exitDone        = 0
	exitError       = 1
	exitFailed      = 2
	exitUnreachable = 3
	exitGenerator   = 4
	exitInterrupted = 130
)

// exitError carries an exit code other than 1.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// withCode makes err end the process with code.
func withCode(code int, err error) error { return &codedError{code, err} }

// Main runs one command and returns its exit code.
func Main(ctx context.Context, env Environment) int {
	root := newRoot(&env)
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if text := err.Error(); text != "" {
		_, _ = fmt.Fprintf(env.Stderr, "holdfast: %s\n", text) // nobody is left to tell
	}
	if coded, ok := errors.AsType[*codedError](err); ok {
		return coded.code
	}
	return exitError
}

// global are the flags of all commands.
type global struct {
	env     *Environment
	dataDir string
	output  string

	url, tokenFile, caFile string // of a Holdfast elsewhere
}

func newRoot(env *Environment) *cobra.Command {
	g := &global{env: env}
	root := &cobra.Command{
		Use:   "holdfast",
		Short: "Keeps an HTTP service up: balances, heals, starts and restarts it, and says why",
		Example: `  holdfast up --to :3000            in front of something that runs
  holdfast up -- node server.js     start it, watch it, restart it
  holdfast up -c holdfast.yaml      as the file says
  holdfast up --demo                three functions to play with
  holdfast status                   how is it?`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          onlyCommands,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVar(&g.dataDir, "data-dir", "", "where Holdfast keeps its state (default ./holdfast-data, or as configured)")
	root.PersistentFlags().StringVarP(&g.output, "output", "o", "table", "table or json")
	root.PersistentFlags().StringVar(&g.url, "url", "", "admin interface of a Holdfast elsewhere: https://host:8081")
	root.PersistentFlags().StringVar(&g.tokenFile, "token-file", "", "file with the token for --url")
	root.PersistentFlags().StringVar(&g.caFile, "ca-file", "", "certificate to trust for --url, such as admin-cert.pem of its data directory")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if g.output != "table" && g.output != "json" {
			return fmt.Errorf("-o %s: want table or json", g.output)
		}
		return nil
	}
	root.AddCommand(upCommand(g), demoFunctionCommand(g), guardCommand(g), versionCommand(g), upgradeCommand(g), healthcheckCommand(g))
	root.AddCommand(commandsOfARunningOne(g)...)
	root.AddCommand(loadCommand(g), stressCommand(g), compareCommand(g), simulateCommand(g))
	return root
}

// onlyCommands refuses what is none of the commands below, and says which may
// have been meant.
func onlyCommands(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	hint := c.CommandPath() + " --help lists what there is"
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + c.CommandPath() + " " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("there is no command %q\n%s", clean(c.CommandPath()+" "+args[0]), hint)
}

// noArgs refuses arguments of a command that takes none; a file without -c is
// what is likely to be among them.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := c.CommandPath() + " --help shows what it takes"
	if c.Flags().Lookup("config") != nil {
		hint = "put -c before a file: " + c.CommandPath() + " -c " + args[0]
	}
	return fmt.Errorf("%s takes no arguments, and %q is one\n%s", c.CommandPath(), clean(args[0]), clean(hint))
}
