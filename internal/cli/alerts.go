package cli

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
	"holdfast/internal/alerting"
	"holdfast/internal/alerting/channel"
)

func alertsCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "alerts", Short: "List what is wrong; keep it quiet for a time; try who is told", Args: onlyCommands,
		Long: `List what is wrong now, with the likely cause and the next step. Without
anything configured alerts are here, in the log and on the page; to be told in
Slack, set HOLDFAST_ALERTS_SLACK_URL. docs/alerts.md has the other channels.`,
		Example: `  holdfast alerts
  holdfast alerts silence --function public --for 2h --reason "new disk"
  holdfast alerts channels
  holdfast alerts test slack`,
		RunE: func(c *cobra.Command, _ []string) error { return showAlerts(c, g, false) },
	}
	c.AddCommand(alertsListCommand(g), alertRulesCommand(g), silenceCommand(g), unsilenceCommand(g), silencesCommand(g), channelsCommand(g), testChannelCommand(g))
	return c
}

func alertsListCommand(g *global) *cobra.Command {
	var recent bool
	c := &cobra.Command{
		Use: "list", Short: "List what is wrong now", Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  holdfast alerts list\n  holdfast alerts list --recent",
		RunE:    func(c *cobra.Command, _ []string) error { return showAlerts(c, g, recent) },
	}
	c.Flags().BoolVar(&recent, "recent", false, "also what was resolved lately")
	return c
}

func showAlerts(c *cobra.Command, g *global, recent bool) error {
	return show(c, g, asked{path: "alerts"}, func(s *screen, v *admin.AlertList) error {
		now := time.Now()
		if len(v.Alerts) == 0 {
			fmt.Fprintln(s.w, s.paint("nothing is wrong", green))
		} else if err := alertsTable(v.Alerts, now).write(s); err != nil {
			return err
		}
		if err := writeAlertDetails(s, v.Alerts); err != nil {
			return err
		}
		if !recent || len(v.Recent) == 0 {
			return nil
		}
		fmt.Fprintln(s.w)
		return recentTable(v.Recent, now).write(s)
	})
}

func alertsTable(list []alerting.Standing, now time.Time) *table {
	t := &table{columns: []column{{name: "SEVERITY"}, {name: "STATE"}, {name: "SINCE", right: true}, {name: "RULE", least: 12}, {name: "ABOUT", least: 12}, {name: "TOLD", least: 6}}}
	for i := range list {
		a := &list[i]
		t.add(severityCell(a.Severity), text("%s", a.State), text("%s", age(a.Since, now)), text("%s", a.Rule), text("%s", aboutOf(&a.Alert)), toldCell(a))
	}
	return t
}

func severityCell(s channel.Severity) cell {
	colours := map[channel.Severity]colour{channel.Critical: red, channel.Warning: yellow}
	return cell{string(s), colours[s]}
}

// painted is the cell outside a table.
func (c cell) painted(s *screen) string { return s.paint(c.text, c.colour) }

func aboutOf(a *channel.Alert) string {
	switch {
	case a.Instance != "":
		return a.Function + "/" + a.Instance
	case a.Function != "":
		return a.Function
	}
	return "holdfast"
}

// toldCell says who is told, or why nobody is.
func toldCell(a *alerting.Standing) cell {
	switch {
	case a.Silence != "":
		return text("silenced by %s", a.Silence)
	case a.Maintenance != "":
		return text("maintenance %s", a.Maintenance)
	case a.Muting.Cause != "":
		return text("explained by %s", a.Muting.Cause)
	case a.Told:
		return text("yes")
	}
	return text("not yet")
}

// writeAlertDetails writes the sentences of what is told, the worst first.
func writeAlertDetails(s *screen, list []alerting.Standing) error {
	for i := range list {
		a := &list[i]
		if a.State != "firing" || a.Silence != "" || a.Maintenance != "" || a.Muting.Cause != "" {
			continue
		}
		lines := []string{"", a.Summary}
		if a.Alert.Cause != "" {
			lines = append(lines, "  likely: "+a.Alert.Cause)
		}
		if a.Next != "" {
			lines = append(lines, "  next:   "+a.Next)
		}
		if err := writeLines(s, lines); err != nil {
			return err
		}
	}
	return nil
}

func recentTable(list []channel.Alert, now time.Time) *table {
	t := &table{columns: []column{{name: "RESOLVED", right: true}, {name: "LASTED", right: true}, {name: "SEVERITY"}, {name: "RULE", least: 12}, {name: "SUMMARY", least: 20}}}
	for i := range list {
		a := &list[i]
		t.add(text("%s ago", age(a.Ended, now)), text("%s", a.Ended.Sub(a.Began).Round(time.Second)), severityCell(a.Severity), text("%s", a.Rule), text("%s", a.Summary))
	}
	return t
}

func alertRulesCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "rules", Short: "List what is looked for, and how long it must last", Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  holdfast alerts rules",
		RunE: func(c *cobra.Command, _ []string) error {
			return showTable(c, g, asked{path: "alerts/rules"}, rulesTable)
		},
	}
}

func rulesTable(v *admin.AlertRules) *table {
	t := &table{columns: []column{{name: "RULE", least: 12}, {name: "KIND"}, {name: "SEVERITY"}, {name: "FOR", right: true}, {name: "KEEP", right: true}, {name: "FIRING", right: true}, {name: "LOOKS FOR", least: 10}}}
	for i := range v.Rules {
		r := &v.Rules[i]
		severity := severityCell(r.Severity)
		if !r.Enabled {
			severity = cell{"off", faint}
		}
		t.add(text("%s", r.Name), text("%s", r.Kind), severity, text("%s", seconds(r.ForSeconds)), text("%s", seconds(r.KeepSeconds)), text("%d", r.Firing), text("%s", r.Text))
	}
	return t
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

func channelsCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "channels", Short: "List who is told, and how that goes", Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  holdfast alerts channels",
		RunE: func(c *cobra.Command, _ []string) error {
			return show(c, g, asked{path: "alerts/channels"}, func(s *screen, v *admin.AlertChannels) error {
				if len(v.Channels) == 0 {
					_, err := fmt.Fprintln(s.w, "no channel is configured: set HOLDFAST_ALERTS_SLACK_URL, or alerts.channels in the configuration")
					return err
				}
				return channelsTable(v, time.Now()).write(s)
			})
		},
	}
}

func channelsTable(v *admin.AlertChannels, now time.Time) *table {
	t := &table{columns: []column{{name: "CHANNEL", least: 8}, {name: "KIND"}, {name: "SENT", right: true}, {name: "FAILED", right: true}, {name: "WAITING", right: true}, {name: "LOST", right: true}, {name: "LAST", right: true}, {name: "TROUBLE", least: 12}}}
	for i := range v.Channels {
		d := &v.Channels[i]
		trouble := cell{d.Trouble, red}
		if d.Trouble == "" {
			trouble = cell{"none", green}
		}
		last := "never"
		if !d.LastOK.IsZero() {
			last = age(d.LastOK, now)
		}
		t.add(text("%s", d.Name), text("%s", d.Kind), text("%d", d.Sent), text("%d", d.Failed), text("%d", d.Waiting), text("%d", d.Dropped+d.Refused), text("%s", last), trouble)
	}
	return t
}

func testChannelCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "test CHANNEL", Short: "Send a test notification and say how that went", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Long:    "Send a test notification and say how that went. It ends with 2 when it was not\ndelivered.",
		Example: "  holdfast alerts test slack",
		RunE: func(c *cobra.Command, args []string) error {
			failed := ""
			q := asked{method: http.MethodPost, path: escaped("alerts", "channels", args[0], "test")}
			err := give(c, g, q, func(v *admin.TestedChannel) string {
				if !v.Delivered {
					failed = v.Error
					return args[0] + ": not delivered"
				}
				return args[0] + ": delivered"
			})
			if err == nil && failed != "" {
				return withCode(exitFailed, fmt.Errorf("the test of channel %s failed: %s", clean(args[0]), clean(failed)))
			}
			return err
		},
	}
}
