package cli

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

func breakersCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "breakers [FUNCTION]", Short: "List breakers with their state and the reason",
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeFunctions(g),
		Example: "  holdfast breakers\n  holdfast breakers public",
		RunE: func(c *cobra.Command, args []string) error {
			return showTable(c, g, asked{path: "breakers", query: query("function", first(args))}, func(v *admin.Breakers) *table { return breakersTable(v, time.Now()) })
		},
	}
}

func breakersTable(v *admin.Breakers, now time.Time) *table {
	t := &table{columns: []column{
		{name: "FUNCTION", least: 8},
		{name: "STATE"},
		{name: "SINCE", right: true},
		{name: "FAILURES", right: true},
		{name: "NEXT TRY", right: true},
		{name: "WHY", least: 15},
	}}
	for i := range v.Breakers {
		b := &v.Breakers[i]
		t.add(text("%s", b.Function), stateCell(b.State), text("%s", age(b.Since, now)),
			failuresCell(b), nextTryCell(b, now), text("%s", b.Reason))
	}
	return t
}

func failuresCell(b *admin.Breaker) cell {
	switch {
	case b.State == "off":
		return text("-")
	case b.FailureThreshold < 0:
		return text("%d", b.FailureCount)
	default:
		return text("%d/%d", b.FailureCount, b.FailureThreshold)
	}
}

func nextTryCell(b *admin.Breaker, now time.Time) cell {
	switch {
	case b.State == "half_open":
		return text("probing")
	case b.State != "open":
		return text("-")
	case b.Forced:
		return text("never")
	case !b.NextAttempt.After(now):
		return text("now")
	default:
		return text("in %s", b.NextAttempt.Sub(now).Round(time.Second))
	}
}
