package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

func instancesCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "instances [FUNCTION]", Short: "List instances with their state, share of traffic and latency",
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeFunctions(g),
		Example: "  holdfast instances\n  holdfast instances public -o json",
		RunE: func(c *cobra.Command, args []string) error {
			return showTable(c, g, asked{path: "instances", query: query("function", first(args))}, func(v *admin.Instances) *table { return instancesTable(v, time.Now()) })
		},
	}
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func instancesTable(v *admin.Instances, now time.Time) *table {
	t := &table{columns: []column{
		{name: "FUNCTION", least: 8},
		{name: "INSTANCE", least: 8},
		{name: "STATUS"},
		{name: "SINCE", right: true},
		{name: "SHARE", right: true},
		{name: "INFLIGHT", right: true},
		{name: "P99", right: true},
		{name: "ENDPOINT OR WHY", least: 15},
	}}
	for n := range v.Instances {
		i := &v.Instances[n]
		t.add(text("%s", i.Function), text("%s", i.ID), stateCell(i.Status), text("%s", age(i.Since, now)),
			text("%s", share(i.SharePercent)), text("%d", i.InFlight), text("%s", milliseconds(i.P99MS)), detail(i))
	}
	return t
}

// detail is where an instance is, or what is wrong with it.
func detail(i *admin.Instance) cell {
	if i.Status == "active" || i.Reason == "" {
		return cell{text: strings.TrimPrefix(i.Endpoint, "http://")}
	}
	return cell{text: i.Reason}
}
