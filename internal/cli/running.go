package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// commandsOfARunningOne are the commands that ask a running Holdfast, and those
// about its configuration.
func commandsOfARunningOne(g *global) []*cobra.Command {
	return []*cobra.Command{
		statusCommand(g), instancesCommand(g), breakersCommand(g), requestsCommand(g), explainCommand(g),
		eventsCommand(g), alertsCommand(g), logLevelCommand(g), reloadCommand(g), checkCommand(g), configCommand(g),
		functionCommand(g), actionsCommand(g), auditCommand(g), tokenCommand(g), doctorCommand(g), setupCommand(g), cleanupCommand(g),
		initCommand(g), manCommand(), drillCommand(g), drillGuardCommand(g), runChildCommand(g),
	}
}

// defaultDataDir is where Holdfast keeps its state unless told otherwise.
const defaultDataDir = "./holdfast-data"

// dataDirOf is the flag, else the environment, else the default.
func (g *global) dataDirOf() string {
	if g.dataDir != "" {
		return g.dataDir
	}
	if dir := g.variable("HOLDFAST_DATA_DIR"); dir != "" {
		return dir
	}
	return defaultDataDir
}

// variable returns the value of an environment variable; the last one counts.
func (g *global) variable(name string) string {
	value := ""
	for _, kv := range g.env.Environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

func (g *global) json() bool { return g.output == "json" }

// patience is how long completion may take: nobody waits for a suggestion.
const patience = 500 * time.Millisecond

// completeFunctions suggests the functions of the running Holdfast for the
// first argument.
func completeFunctions(g *global) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return functionNames(c.Context(), g), cobra.ShellCompDirectiveNoFileComp
	}
}

func functionNames(ctx context.Context, g *global) []cobra.Completion {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	var status statusView
	if err := newClient(g).get(ctx, "status", &status); err != nil {
		return nil
	}
	names := make([]cobra.Completion, len(status.Functions))
	for i := range status.Functions {
		names[i] = status.Functions[i].Name
	}
	return names
}

// counted writes "1 function", "2 functions".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
