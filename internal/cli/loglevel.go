package cli

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

func logLevelCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "log-level [COMPONENT LEVEL]", Short: "Show or change what the running Holdfast logs",
		Long: `Show the level of each component, or change one until the next start; * stands
for all components. Levels are debug, info, warn and error.`,
		Example:           "  holdfast log-level\n  holdfast log-level prober debug\n  holdfast log-level '*' info",
		Args:              noneOrTwo,
		ValidArgsFunction: completeLevels(g),
		RunE: func(c *cobra.Command, args []string) error {
			q := asked{path: "log-levels"}
			if len(args) == 2 {
				q.method, q.body = http.MethodPut, admin.LogLevel{Component: args[0], Level: args[1]}
			}
			return showTable(c, g, q, levelsTable)
		},
	}
}

func noneOrTwo(_ *cobra.Command, args []string) error {
	if len(args) != 0 && len(args) != 2 {
		return errors.New("give a component and a level, or nothing to see all levels")
	}
	return nil
}

func levelsTable(v *admin.LogLevels) *table {
	t := &table{columns: []column{{name: "COMPONENT"}, {name: "LEVEL"}}}
	for _, component := range slices.Sorted(maps.Keys(v.Levels)) {
		t.add(text("%s", component), text("%s", v.Levels[component]))
	}
	return t
}

func completeLevels(g *global) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const none = cobra.ShellCompDirectiveNoFileComp
		var v admin.LogLevels
		switch len(args) {
		case 0:
			if newClient(g).get(c.Context(), "log-levels", &v) != nil {
				return nil, none
			}
			return slices.Sorted(maps.Keys(v.Levels)), none
		case 1:
			return []cobra.Completion{"debug", "info", "warn", "error"}, none
		default:
			return nil, none
		}
	}
}
