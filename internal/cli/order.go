package cli

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
	"holdfast/internal/control"
)

// ordering completes a command whose first argument is a function: the names of
// functions are suggested, and --reason says why.
func ordering(g *global, c *cobra.Command, run func(c *cobra.Command, args []string, reason string) error) *cobra.Command {
	if c.Args == nil {
		c.Args = cobra.ExactArgs(1)
	}
	c.ValidArgsFunction = completeFunctions(g)
	reason := c.Flags().String("reason", "", "why, for the audit log, the events and those who meet the result")
	c.RunE = func(c *cobra.Command, args []string) error { return run(c, args, *reason) }
	return c
}

// post is give for an order about a function: what is the path below it.
func post[T any](c *cobra.Command, g *global, function, what string, body any, said func(v *T) string) error {
	return give(c, g, asked{method: http.MethodPost, path: escaped("functions", function) + "/" + what, body: body}, said)
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
		c := &cobra.Command{Use: o.name + " NAME", Short: o.short, Long: o.long, Example: "  holdfast function " + o.name + " public"}
		list = append(list, ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
			return post(c, g, args[0], o.path, admin.Reason{Reason: reason}, func(*admin.RecoveryStatus) string { return fmt.Sprintf(o.said, args[0]) })
		}))
	}
	return list
}

var errScale = errors.New("say up, down, or how many instances")

func functionScaleCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "scale NAME up|down|N", Short: "Start or stop instances", Args: cobra.ExactArgs(2),
		Long: `Start or stop instances of a function that Holdfast runs itself. The limits
scaling.min_instances and max_instances hold; the cooldown does not bind you.
The order survives restarts until the configuration names another number.`,
		Example: "  holdfast function scale public up\n  holdfast function scale public 4 --reason \"sale begins at noon\"",
	}
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		o := admin.ScaleOrder{Reason: reason}
		if args[1] == "up" || args[1] == "down" {
			o.Action = args[1]
		} else if n, err := strconv.Atoi(args[1]); err == nil && n > 0 {
			o.Instances = n
		} else {
			return errScale
		}
		failure := ""
		err := post(c, g, args[0], "scale", o, func(v *control.Scaled) string {
			if v.Action != nil && !v.Action.Success {
				failure = v.Action.ErrorMessage
			}
			return scaledSentence(v)
		})
		if err == nil && failure != "" {
			return withCode(exitFailed, errors.New(clean(failure)))
		}
		return err
	})
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
		Long: `Move traffic off an instance at once: off the primary (the lowest priority, of
equals the busiest) when none is named. Requests under way are finished. It
holds through reloads and restarts, until holdfast function failback.`,
		Example: "  holdfast function failover public\n  holdfast function failover public public-2 --reason \"kernel update\"",
	}
	force := c.Flags().Bool("force", false, "also when nobody else can take the traffic")
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		o := admin.FailoverOrder{Reason: reason, Force: *force, Instance: first(args[1:])}
		return post(c, g, args[0], "failover", o, func(v *control.Moved) string {
			return fmt.Sprintf("%s: traffic moved off %s; %d -> %d instances take traffic, %d requests are being finished", v.Function, v.Instance, v.Before, v.After, v.InFlight)
		})
	})
}

func functionFailbackCommand(g *global) *cobra.Command {
	c := &cobra.Command{Use: "failback NAME", Short: "Take a failover back", Example: "  holdfast function failback public"}
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		return post(c, g, args[0], "failback", admin.Reason{Reason: reason}, func(v *control.Moved) string {
			return fmt.Sprintf("%s: %s gets traffic again; %d -> %d instances take traffic", v.Function, v.Instance, v.Before, v.After)
		})
	})
}

func functionRollbackCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "rollback NAME", Short: "Go back to the version that ran before", Example: "  holdfast function rollback public --reason \"twice as slow\"",
		Long: `Have docker-swarm or kubernetes go back to the version that ran before. The
number of instances stays; the platform replaces them one after the other.`,
	}
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		return post(c, g, args[0], "rollback", admin.Reason{Reason: reason}, func(v *control.RolledBack) string {
			return fmt.Sprintf("%s goes back from version %s to the one before", v.Function, v.From)
		})
	})
}

func drainCommand(g *global, on bool) *cobra.Command {
	c := &cobra.Command{
		Use: "drain NAME INSTANCE", Short: "Take an instance out of rotation; what it has is finished", Args: cobra.ExactArgs(2),
		Example: "  holdfast function drain public public-2",
	}
	method, said := http.MethodPut, "%s gets no new requests"
	if !on {
		c.Use, c.Short, c.Example = "undrain NAME INSTANCE", "Put a drained instance back", "  holdfast function undrain public public-2"
		method, said = http.MethodDelete, "%s is in rotation again"
	}
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		q := asked{method: method, path: escaped("functions", args[0], "instances", args[1], "drain"), body: admin.Reason{Reason: reason}}
		return give(c, g, q, func(*admin.Instances) string { return fmt.Sprintf(said, args[1]) })
	})
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
			q := asked{method: http.MethodPut, path: escaped("functions", args[0], "instances", args[1], "weight"), body: admin.WeightOrder{Weight: n}}
			return give(c, g, q, func(*admin.Instances) string { return fmt.Sprintf("%s: weight %d", args[1], n) })
		},
	}
}

func clearSessionsCommand(g *global) *cobra.Command {
	c := &cobra.Command{Use: "clear-sessions NAME", Short: "End all sessions; clients are spread anew", Example: "  holdfast function clear-sessions public"}
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		return post(c, g, args[0], "clear-sessions", admin.Reason{Reason: reason}, func(v *admin.Cleared) string {
			return fmt.Sprintf("%s: %s cleared", v.Function, counted(v.Cleared, "session"))
		})
	})
}

func resetBreakerCommand(g *global) *cobra.Command {
	c := &cobra.Command{Use: "reset-breaker NAME", Short: "Close the breaker and forget its counts", Example: "  holdfast function reset-breaker public"}
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		return post(c, g, args[0], "breaker/reset", admin.Reason{Reason: reason}, func(v *admin.Breaker) string {
			return fmt.Sprintf("%s: breaker %s", v.Function, v.State)
		})
	})
}

func openBreakerCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "open-breaker NAME --reason WHY", Short: "Keep the breaker open until it is reset",
		Example: "  holdfast function open-breaker public --reason \"wrong data since 14:00\"",
	}
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		return post(c, g, args[0], "breaker/open", admin.OpenOrder{Reason: reason}, func(v *admin.Breaker) string {
			return fmt.Sprintf("%s: breaker %s until holdfast function reset-breaker", v.Function, v.State)
		})
	})
}
