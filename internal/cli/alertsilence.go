package cli

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
	"holdfast/internal/alerting"
)

func silenceCommand(g *global) *cobra.Command {
	var q admin.NewSilence
	var labels map[string]string
	c := &cobra.Command{
		Use: "silence [RULE]", Short: "Keep alerts from being told, for a time", Args: cobra.MaximumNArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Keep alerts from being told, for a time. All that is given must fit; * stands
for any text. What fires is still listed here and on the page, and whoever was
told that something fires is told when it ends.`,
		Example: `  holdfast alerts silence --function public --for 2h --reason "new disk"
  holdfast alerts silence 'scaling_*' --for 30m --reason "load test"
  holdfast alerts silence 'instance_*' --instance public-3 --reason "new disk"`,
		RunE: func(c *cobra.Command, args []string) error {
			q.Rule, q.Labels = first(args), labels
			return give(c, g, asked{method: http.MethodPost, path: "alerts/silences", body: q}, func(v *alerting.Silence) string {
				return fmt.Sprintf("silence %s until %s; holdfast alerts unsilence %s ends it", v.ID, v.Until.Local().Format(time.DateTime), v.ID)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&q.Function, "function", "", "only about this function")
	f.StringVar(&q.Instance, "instance", "", "only about this instance")
	f.StringVar(&q.Severity, "severity", "", "only critical, warning or info")
	f.StringToStringVar(&labels, "label", nil, "only with this label, as in team=web")
	f.StringVar(&q.For, "for", "1h", "how long, at most 2160h")
	f.StringVar(&q.Reason, "reason", "", "why, for those who wonder")
	_ = c.RegisterFlagCompletionFunc("function", completeFunctions(g)) // the flag is there
	return c
}

func unsilenceCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "unsilence ID", Short: "End a silence", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  holdfast alerts unsilence 0a1b2c3d",
		RunE: func(c *cobra.Command, args []string) error {
			q := asked{method: http.MethodDelete, path: escaped("alerts", "silences", args[0])}
			return give(c, g, q, func(v *admin.EndedSilence) string { return "silence " + v.ID + " has ended" })
		},
	}
}

func silencesCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "silences", Short: "List silences and maintenance windows", Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  holdfast alerts silences",
		RunE: func(c *cobra.Command, _ []string) error {
			return showTable(c, g, asked{path: "alerts/silences"}, func(v *admin.AlertSilences) *table { return silencesTable(v, time.Now()) })
		},
	}
}

func silencesTable(v *admin.AlertSilences, now time.Time) *table {
	t := &table{columns: []column{{name: "ID", least: 8}, {name: "STATE"}, {name: "UNTIL"}, {name: "FITS", least: 12}, {name: "BY", least: 6}, {name: "REASON", least: 10}}}
	for i := range v.Silences {
		q := &v.Silences[i]
		state := cell{"in force", yellow}
		switch {
		case now.Before(q.From):
			state = text("to come")
		case !now.Before(q.Until):
			state = cell{"ended", faint}
		}
		t.add(text("%s", q.ID), state, text("%s", q.Until.Local().Format(time.DateTime)), text("%s", fitsOf(&q.Match)), text("%s", q.Author), text("%s", q.Reason))
	}
	for i := range v.Maintenance {
		w := &v.Maintenance[i]
		state, until, about := text("closed"), "-", "everything"
		if w.Open {
			state = cell{"open", yellow}
		}
		if !w.Until.IsZero() {
			until = w.Until.Local().Format(time.DateTime)
		}
		if len(w.Functions) > 0 {
			about = strings.Join(w.Functions, ", ")
		}
		t.add(text("%s", w.Name), state, text("%s", until), text("%s", about), text("maintenance"), text("%s", w.Reason))
	}
	return t
}

func fitsOf(m *alerting.Match) string {
	var parts []string
	for _, p := range [][2]string{{"rule", m.Rule}, {"function", m.Function}, {"instance", m.Instance}, {"severity", m.Severity}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	for k, v := range m.Labels {
		parts = append(parts, k+"="+v)
	}
	return strings.Join(parts, " ")
}
