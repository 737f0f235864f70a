package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

type statusView = admin.Status

func statusCommand(g *global) *cobra.Command {
	var watch bool
	var interval time.Duration
	c := &cobra.Command{
		Use: "status", Short: "Show how everything is", Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Show every function of the running Holdfast with its instances, breaker and
what its requests did in the last half to whole minute, and what is wrong.

With --watch it fills the terminal and follows what happens; q ends it, the
arrow keys scroll. Where there is no terminal one look follows the other, and
with -o json each is a line. It stays when Holdfast is restarted.`,
		Example: "  holdfast status\n  holdfast status --watch",
		RunE: func(c *cobra.Command, _ []string) error {
			if !watch {
				return showStatus(c, g)
			}
			return watchStatus(c, g, interval)
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again until q or Ctrl-C")
	c.Flags().DurationVar(&interval, "interval", time.Second, "time between two looks of --watch")
	return c
}

func showStatus(c *cobra.Command, g *global) error {
	b, err := newClient(g).ask(c.Context(), http.MethodGet, "status", nil, nil)
	if err != nil {
		return err
	}
	if g.json() {
		return writeIndented(c.OutOrStdout(), b)
	}
	s := g.screen(c.OutOrStdout())
	return writeStatus(s, b)
}

func writeStatus(s *screen, b []byte) error {
	var v admin.Status
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("read the status: %w", err)
	}
	state := cell{"ready", green}
	switch {
	case v.Draining:
		state = cell{"shutting down", yellow}
	case !v.Ready:
		state = cell{"not ready", red}
	}
	up := (time.Duration(v.UptimeSeconds) * time.Second).String()
	fmt.Fprintf(s.w, "holdfast %s (pid %d) up %s, %s\n\n", clean(v.Version), v.PID, up, s.paint(state.text, state.colour))
	err := statusTable(&v).write(s)
	if len(v.Problems)+len(v.Alerts) > 0 {
		fmt.Fprintln(s.w)
	}
	return errors.Join(err, writeWrong(s, &v))
}

// writeWrong writes alerts, and problems that none of them says already.
func writeWrong(s *screen, v *admin.Status) error {
	said := map[string]bool{}
	for i := range v.Alerts {
		a := &v.Alerts[i]
		said[a.Summary] = true
		if _, err := fmt.Fprintln(s.w, s.paint("!", red), severityCell(a.Severity).painted(s)+":", clean(a.Summary)); err != nil {
			return err
		}
	}
	for _, p := range v.Problems {
		if said[p] {
			continue
		}
		if _, err := fmt.Fprintln(s.w, s.paint("!", red), clean(p)); err != nil {
			return err
		}
	}
	return nil
}

func statusTable(v *admin.Status) *table {
	t := &table{columns: []column{
		{name: "FUNCTION", least: 8},
		{name: "INSTANCES", right: true},
		{name: "BREAKER"},
		{name: "REQ/S", right: true},
		{name: "FAILED", right: true},
		{name: "P50", right: true},
		{name: "P99", right: true},
		{name: "INFLIGHT", right: true},
		{name: "WAITING", right: true},
	}}
	for i := range v.Functions {
		f := &v.Functions[i]
		t.add(
			text("%s", f.Name), instancesCell(f.Instances), stateCell(f.Breaker),
			text("%s", rate(f.Recent.RequestsPerSecond)), failedCell(f),
			text("%s", milliseconds(f.Recent.P50MS)), text("%s", milliseconds(f.Recent.P99MS)),
			text("%d", f.InFlight), text("%d", f.Waiting),
		)
	}
	return t
}

// instancesCell shows how many of the instances may get traffic, and how many
// spares there are besides.
func instancesCell(n admin.InstanceCounts) cell {
	c := text("%d/%d", n.Available, n.Total)
	if n.Spare > 0 {
		c = text("%d/%d +%d", n.Available, n.Total, n.Spare)
	}
	switch {
	case n.Available == 0:
		c.colour = red
	case n.Available < n.Total:
		c.colour = yellow
	default:
		c.colour = green
	}
	return c
}
