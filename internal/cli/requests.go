package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

func requestsCommand(g *global) *cobra.Command {
	var failed bool
	var n int
	c := &cobra.Command{
		Use: "requests [FUNCTION]", Short: "List the last requests, or the last failed ones",
		Long: `List the last requests, the latest first, with the beginning of their ids:
holdfast explain request tells the story of one.`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeFunctions(g),
		Example: "  holdfast requests --failed\n  holdfast requests public -n 50",
		RunE: func(c *cobra.Command, args []string) error {
			q := query("function", first(args), "n", strconv.Itoa(n))
			if failed {
				q.Set("failed", "1")
			}
			return show(c, g, asked{path: "requests", query: q}, writeRequests)
		},
	}
	c.Flags().BoolVar(&failed, "failed", false, "only failed ones")
	c.Flags().IntVarP(&n, "number", "n", 20, "how many")
	return c
}

func writeRequests(s *screen, v *admin.Requests) error {
	if len(v.Requests) == 0 {
		_, err := fmt.Fprintln(s.w, "no such request is remembered")
		return err
	}
	return requestsTable(v).write(s)
}

// shownID is enough of an id to find the request again.
const shownID = 8

func requestsTable(v *admin.Requests) *table {
	t := &table{columns: []column{
		{name: "AT"},
		{name: "ID", least: shownID},
		{name: "FUNCTION", least: 8},
		{name: "REQUEST", least: 18},
		{name: "CODE", right: true},
		{name: "TOOK", right: true},
		{name: "TRIES", right: true},
		{name: "WHY", least: 8},
	}}
	for i := range v.Requests {
		r := &v.Requests[i]
		t.add(text("%s", r.At.Local().Format(time.TimeOnly)), text("%.*s", shownID, r.ID), text("%s", r.Function),
			text("%s %s", r.Method, r.Path), statusCell(r), text("%s", milliseconds(r.TookMS)),
			text("%d", len(r.Attempts)), text("%s", r.Reason))
	}
	return t
}

func statusCell(r *admin.Request) cell {
	c := text("%d", r.Status)
	if r.Failed {
		c.colour = red
	}
	return c
}
