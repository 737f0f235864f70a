package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
	"holdfast/internal/control"
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
	c.AddCommand(functionScaleCommand(g), functionFailoverCommand(g), functionFailbackCommand(g))
	c.AddCommand(drainCommand(g, true), drainCommand(g, false), weightCommand(g))
	c.AddCommand(clearSessionsCommand(g), resetBreakerCommand(g), openBreakerCommand(g))
	return c
}

// order is one request that changes something.
type order struct {
	method, path string
	body, into   any
	said         func() string // what to tell people afterwards
}

// give sends an order and says what became of it.
func give(c *cobra.Command, g *global, o order) error {
	b, err := newClient(g).ask(c.Context(), o.method, o.path, nil, o.body)
	if err != nil {
		return err
	}
	if g.json() {
		return writeIndented(c.OutOrStdout(), b)
	}
	if err := json.Unmarshal(b, o.into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), clean(o.said()))
	return err
}

func reasonFlag(c *cobra.Command) *string {
	return c.Flags().String("reason", "", "why, for the audit log and those who meet the result")
}

func functionListCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List functions and what was ordered for them", Args: cobra.NoArgs,
		Example: "  holdfast function list", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := newClient(g).ask(c.Context(), http.MethodGet, "functions", nil, nil)
			if err != nil {
				return err
			}
			if g.json() {
				return writeIndented(c.OutOrStdout(), b)
			}
			var v admin.Functions
			if err := json.Unmarshal(b, &v); err != nil {
				return fmt.Errorf("read the functions: %w", err)
			}
			s := g.screen(c.OutOrStdout())
			if err := functionsTable(&v).write(s); err != nil {
				return err
			}
			return writeOrders(s, &v)
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

// monitoringCommands make watching begin anew, rest and go on.
func monitoringCommands(g *global) []*cobra.Command {
	var list []*cobra.Command
	for _, o := range []struct{ name, path, short, long, said string }{
		{
			"init", "initialize", "Begin anew: enabled, watched, a fresh breaker, checks now",
			"Begin anew with a function: it is enabled and watched again, its breaker is\nclosed with fresh counts, and its instances are checked at once.",
			"%s: monitoring begins anew",
		},
		{
			"stop", "stop", "Let checks, ejection, breaker and retries rest; traffic flows",
			"Let the checks, ejection, breaker, retries and scaling of a function rest until\nholdfast function init or start. Traffic flows to every instance that is not\ndrained, whatever its state.",
			"%s: monitoring rests, traffic flows",
		},
		{
			"start", "start", "Take stop back and forget nothing",
			"Take holdfast function stop back. What the checks know is not forgotten.",
			"%s: monitoring goes on",
		},
	} {
		c := &cobra.Command{
			Use: o.name + " NAME", Short: o.short, Long: o.long, Args: cobra.ExactArgs(1), ValidArgsFunction: completeFunctions(g),
			Example: "  holdfast function " + o.name + " public",
		}
		reason := reasonFlag(c)
		c.RunE = func(c *cobra.Command, args []string) error {
			return give(c, g, order{
				http.MethodPost, escaped("functions", args[0], o.path),
				admin.Reason{Reason: *reason},
				&admin.RecoveryStatus{},
				func() string { return fmt.Sprintf(o.said, args[0]) },
			})
		}
		list = append(list, c)
	}
	return list
}

var errScale = errors.New("say up, down, or how many instances")

func functionScaleCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "scale NAME up|down|N", Short: "Start or stop instances", Args: cobra.ExactArgs(2), ValidArgsFunction: completeFunctions(g),
		Long: `Start or stop instances of a function that Holdfast runs itself. The limits
scaling.min_instances and max_instances hold; the cooldown does not bind you.
The order survives restarts until the configuration names another number.`,
		Example: "  holdfast function scale public up\n  holdfast function scale public 4 --reason \"sale begins at noon\"",
	}
	reason := reasonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o := admin.ScaleOrder{Reason: *reason}
		if args[1] == "up" || args[1] == "down" {
			o.Action = args[1]
		} else if n, err := strconv.Atoi(args[1]); err == nil && n > 0 {
			o.Instances = n
		} else {
			return errScale
		}
		var v control.Scaled
		err := give(c, g, order{http.MethodPost, escaped("functions", args[0], "scale"), o, &v, func() string { return scaledSentence(&v) }})
		if err == nil && v.Action != nil && !v.Action.Success {
			return withCode(exitFailed, errors.New(clean(v.Action.ErrorMessage)))
		}
		return err
	}
	return c
}

func scaledSentence(v *control.Scaled) string {
	switch {
	case v.Before == v.After:
		return fmt.Sprintf("%s has %s already", v.Function, counted(v.After, "instance"))
	case v.Pending:
		return fmt.Sprintf("%s: %d -> %d instances, %d ready so far; holdfast actions tells when it is done", v.Function, v.Before, v.After, v.Ready)
	}
	return fmt.Sprintf("%s: %d -> %d instances, %d ready", v.Function, v.Before, v.After, v.Ready)
}

func functionFailoverCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "failover NAME [INSTANCE]", Short: "Move traffic off the primary, or off an instance", Args: cobra.RangeArgs(1, 2),
		ValidArgsFunction: completeFunctions(g),
		Long: `Move traffic off an instance at once: off the primary (the lowest priority, of
equals the busiest) when none is named. Requests under way are finished. It
holds through reloads and restarts, until holdfast function failback.`,
		Example: "  holdfast function failover public\n  holdfast function failover public public-2 --reason \"kernel update\"",
	}
	reason := reasonFlag(c)
	force := c.Flags().Bool("force", false, "also when nobody else can take the traffic")
	c.RunE = func(c *cobra.Command, args []string) error {
		o := admin.FailoverOrder{Reason: *reason, Force: *force}
		if len(args) == 2 {
			o.Instance = args[1]
		}
		var v control.Moved
		return give(c, g, order{http.MethodPost, escaped("functions", args[0], "failover"), o, &v, func() string {
			return fmt.Sprintf("%s: traffic moved off %s; %d -> %d instances take traffic, %d requests are being finished", v.Function, v.Instance, v.Before, v.After, v.InFlight)
		}})
	}
	return c
}

func functionFailbackCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "failback NAME", Short: "Take a failover back", Args: cobra.ExactArgs(1), ValidArgsFunction: completeFunctions(g),
		Example: "  holdfast function failback public",
	}
	reason := reasonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var v control.Moved
		return give(c, g, order{http.MethodPost, escaped("functions", args[0], "failback"), admin.Reason{Reason: *reason}, &v, func() string {
			return fmt.Sprintf("%s: %s gets traffic again; %d -> %d instances take traffic", v.Function, v.Instance, v.Before, v.After)
		}})
	}
	return c
}

func drainCommand(g *global, on bool) *cobra.Command {
	c := &cobra.Command{
		Use: "drain NAME INSTANCE", Short: "Take an instance out of rotation; what it has is finished", Args: cobra.ExactArgs(2),
		ValidArgsFunction: completeFunctions(g), Example: "  holdfast function drain public public-2",
	}
	method, said := http.MethodPut, "%s gets no new requests"
	if !on {
		c.Use, c.Short, c.Example = "undrain NAME INSTANCE", "Put a drained instance back", "  holdfast function undrain public public-2"
		method, said = http.MethodDelete, "%s is in rotation again"
	}
	reason := reasonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return give(c, g, order{
			method, escaped("functions", args[0], "instances", args[1], "drain"),
			admin.Reason{Reason: *reason},
			&admin.Instances{},
			func() string { return fmt.Sprintf(said, args[1]) },
		})
	}
	return c
}

func weightCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "weight NAME INSTANCE N", Short: "Give an instance another weight; 0 is the configured one", Args: cobra.ExactArgs(3),
		ValidArgsFunction: completeFunctions(g), Example: "  holdfast function weight public public-2 5",
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[2])
			if err != nil {
				return fmt.Errorf("weight %s: want a whole number from 0 to 1000", clean(args[2]))
			}
			return give(c, g, order{
				http.MethodPut, escaped("functions", args[0], "instances", args[1], "weight"),
				admin.WeightOrder{Weight: n},
				&admin.Instances{},
				func() string { return fmt.Sprintf("%s: weight %d", args[1], n) },
			})
		},
	}
}

func clearSessionsCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "clear-sessions NAME", Short: "End all sessions; clients are spread anew", Args: cobra.ExactArgs(1),
		ValidArgsFunction: completeFunctions(g), Example: "  holdfast function clear-sessions public",
	}
	reason := reasonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var v admin.Cleared
		return give(c, g, order{http.MethodPost, escaped("functions", args[0], "clear-sessions"), admin.Reason{Reason: *reason}, &v, func() string {
			return fmt.Sprintf("%s: %s cleared", v.Function, counted(v.Cleared, "session"))
		}})
	}
	return c
}

func resetBreakerCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "reset-breaker NAME", Short: "Close the breaker and forget its counts", Args: cobra.ExactArgs(1),
		ValidArgsFunction: completeFunctions(g), Example: "  holdfast function reset-breaker public",
	}
	reason := reasonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var v admin.Breaker
		return give(c, g, order{http.MethodPost, escaped("functions", args[0]) + "/breaker/reset", admin.Reason{Reason: *reason}, &v, func() string {
			return fmt.Sprintf("%s: breaker %s", v.Function, v.State)
		}})
	}
	return c
}

func openBreakerCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "open-breaker NAME --reason WHY", Short: "Keep the breaker open until it is reset", Args: cobra.ExactArgs(1),
		ValidArgsFunction: completeFunctions(g), Example: "  holdfast function open-breaker public --reason \"wrong data since 14:00\"",
	}
	reason := reasonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var v admin.Breaker
		return give(c, g, order{http.MethodPost, escaped("functions", args[0]) + "/breaker/open", admin.OpenOrder{Reason: *reason}, &v, func() string {
			return fmt.Sprintf("%s: breaker %s until holdfast function reset-breaker", v.Function, v.State)
		}})
	}
	return c
}
