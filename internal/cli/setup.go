package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"holdfast/internal/store"
)

// setUp is what `setup -o json` prints.
type setUp struct {
	OK        bool          `json:"ok"`
	Store     string        `json:"store"`
	Functions []string      `json:"functions"`
	Checks    []store.Check `json:"checks"`
}

func setupCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "setup [-c FILE]", Short: "Make the tables of the store, and check them", Args: noArgs,
		Long: `Make what Holdfast keeps its state in, and check all of it: tables, a row of
configuration and a closed breaker for each function of the file (without one:
admin, public and attempts), and on PostgreSQL the functions holdfast_cleanup,
holdfast_status, holdfast_reset_breaker and holdfast_recent_actions.

What is there already is left as it is: it can run again at any time, also
while a Holdfast uses the store. holdfast up makes the tables by itself; this
is for a role of PostgreSQL that may, where the one Holdfast runs as may not.

Exit code 2: the store can be asked and something is wrong; 3: it cannot be.`,
		Example: `  holdfast setup -c holdfast.yaml
  HOLDFAST_STORE=postgres://owner@db/app?sslmode=verify-full holdfast setup
  holdfast setup -o json`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	files := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return runSetup(c, g, *files) }
	return c
}

func runSetup(c *cobra.Command, g *global, files []string) error {
	s, err := openOwnStore(g, files, mayBeMade)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // what it took is safe
	v := setUp{Store: s.name, Functions: slices.Sorted(maps.Keys(s.config.Functions))}
	if len(v.Functions) == 0 {
		v.Functions = demoFunctions()
	}
	defaults := make([]store.FunctionConfig, len(v.Functions))
	for i, name := range v.Functions {
		defaults[i] = store.FunctionConfig{Function: name, Enabled: true}
	}
	v.Checks, err = store.Setup(c.Context(), s, defaults)
	failed := store.Failed(v.Checks)
	v.OK = len(failed) == 0
	if printErr := v.write(c, g, err); printErr != nil {
		return printErr
	}
	switch {
	case err != nil:
		return storeFailure(fmt.Errorf("%s: %w", v.Store, err))
	case !v.OK:
		return withCode(exitFailed, fmt.Errorf("%s of %s failed", counted(len(failed), "check"), v.Store))
	}
	return nil
}

// write prints the list. What ended it is the last check, and told as the
// error of the command.
func (v *setUp) write(c *cobra.Command, g *global, ended error) error {
	if g.json() {
		return encodeIndented(c.OutOrStdout(), v)
	}
	s := g.screen(c.OutOrStdout())
	for i, check := range v.Checks {
		mark, line := s.paint("✓", green), check.Name+": "+check.Detail
		if !check.OK {
			mark = s.paint("✗", red)
		}
		if ended != nil && i == len(v.Checks)-1 {
			line = check.Name
		}
		if _, err := fmt.Fprintln(s.w, mark, s.wrap(clean(line))); err != nil {
			return err
		}
	}
	if !v.OK {
		return nil // the error says so
	}
	_, err := fmt.Fprintf(s.w, "%s is ready: %s passed\n", clean(v.Store), counted(len(v.Checks), "check"))
	return err
}
