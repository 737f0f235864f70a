package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

func actionsCommand(g *global) *cobra.Command {
	var limit int
	var action string
	c := &cobra.Command{
		Use: "actions [FUNCTION]", Short: "List what was done to instances: scaled, failed over, recovered", Args: cobra.MaximumNArgs(1),
		Example: "  holdfast actions\n  holdfast actions public --action failover -o json", ValidArgsFunction: completeFunctions(g),
		RunE: func(c *cobra.Command, args []string) error {
			return showTable(c, g, asked{path: "actions", query: query("function", first(args), "action", action, "limit", fmt.Sprint(limit))}, actionsTable)
		},
	}
	c.Flags().IntVarP(&limit, "number", "n", 20, "how many, the latest first")
	c.Flags().StringVar(&action, "action", "", "only scale_up, scale_down, failover or recovery")
	return c
}

func actionsTable(v *admin.ScalingActions) *table {
	t := &table{columns: []column{
		{name: "WHEN"},
		{name: "FUNCTION", least: 8},
		{name: "ACTION"},
		{name: "INSTANCES", right: true},
		{name: "RESULT"},
		{name: "WHY", least: 15},
	}}
	for i := range v.Actions {
		a := &v.Actions[i]
		result, why := cell{"done", green}, a.Reason
		if !a.Success {
			result, why = cell{"failed", red}, a.ErrorMessage
		}
		t.add(text("%s", a.CreatedAt.Local().Format(time.DateTime)), text("%s", a.Function), text("%s", a.Action),
			text("%d -> %d", a.Before, a.After), result, text("%s", why))
	}
	return t
}

func auditCommand(g *global) *cobra.Command {
	var limit int
	var action string
	c := &cobra.Command{
		Use: "audit [TARGET]", Short: "List who changed what, before and after", Args: cobra.MaximumNArgs(1),
		Example: "  holdfast audit\n  holdfast audit public --action function.failover -o json", ValidArgsFunction: completeFunctions(g),
		RunE: func(c *cobra.Command, args []string) error {
			return showTable(c, g, asked{path: "audit", query: query("function", first(args), "action", action, "limit", fmt.Sprint(limit))}, auditTable)
		},
	}
	c.Flags().IntVarP(&limit, "number", "n", 20, "how many, the latest first")
	c.Flags().StringVar(&action, "action", "", "only this action, such as function.scale")
	return c
}

func auditTable(v *admin.AuditLog) *table {
	t := &table{columns: []column{
		{name: "WHEN"}, {name: "WHO", least: 10}, {name: "FROM", least: 8}, {name: "ACTION", least: 18}, {name: "TARGET", least: 8}, {name: "RESULT", least: 6},
	}}
	for i := range v.Entries {
		e := &v.Entries[i]
		result := text("ordered")
		if e.Reason != "" {
			result = text("ordered: %s", e.Reason)
		}
		if e.Error != "" {
			result = cell{e.Error, red}
		}
		who := e.Actor.Name
		if e.Actor.Role != "" { // the database knows none
			who += " (" + string(e.Actor.Role) + ")"
		}
		t.add(text("%s", e.At.Local().Format(time.DateTime)), text("%s", who), text("%s", e.Actor.Source),
			text("%s", e.Action), text("%s", e.Target), result)
	}
	return t
}
