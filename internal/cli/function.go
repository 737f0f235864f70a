package cli

import (
	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

func functionCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "function", Short: "Order something: scale, fail over, drain, stop, begin anew", Args: onlyCommands,
		Example: `  holdfast function list
  holdfast function failover public --reason "disk of public-1 is full"
  holdfast function scale public up
  holdfast function drain public public-2`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(functionListCommand(g))
	c.AddCommand(monitoringCommands(g)...)
	c.AddCommand(holdCommands(g)...)
	c.AddCommand(functionScaleCommand(g), functionFailoverCommand(g), functionFailbackCommand(g), functionRollbackCommand(g))
	c.AddCommand(drainCommand(g, true), drainCommand(g, false), weightCommand(g))
	c.AddCommand(clearSessionsCommand(g), resetBreakerCommand(g), openBreakerCommand(g))
	return c
}

func functionListCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List functions and what was ordered for them", Args: noArgs,
		Example: "  holdfast function list", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			return show(c, g, asked{path: "functions"}, func(s *screen, v *admin.Functions) error {
				if err := functionsTable(v).write(s); err != nil {
					return err
				}
				return writeOrders(s, v)
			})
		},
	}
}

func functionsTable(v *admin.Functions) *table {
	t := &table{columns: []column{
		{name: "FUNCTION", least: 8},
		{name: "WATCHED"},
		{name: "INSTANCES", right: true},
		{name: "BREAKER"},
		{name: "STRATEGY", least: 8},
		{name: "SESSIONS", right: true},
		{name: "ORDERS", right: true},
	}}
	for i := range v.Functions {
		f := &v.Functions[i]
		watched := cell{"yes", green}
		switch {
		case f.Stopped:
			watched = cell{"stopped", yellow}
		case !f.Enabled:
			watched = cell{"disabled", yellow}
		}
		t.add(text("%s", f.Name), watched, instancesCell(f.Instances), stateCell(f.Breaker),
			text("%s", f.Strategy), text("%d", f.Sessions), text("%d", len(f.Orders)))
	}
	return t
}

func writeOrders(s *screen, v *admin.Functions) error {
	var lines []string
	for i := range v.Functions {
		for _, o := range v.Functions[i].Orders {
			lines = append(lines, v.Functions[i].Name+": "+o)
		}
	}
	return writeLines(s, lines)
}
