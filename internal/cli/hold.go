package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

// holdCommands keep the scaler from changing a number of instances, for a while.
func holdCommands(g *global) []*cobra.Command {
	return []*cobra.Command{pauseCommand(g), pinCommand(g), unpauseCommand(g)}
}

func forFlag(c *cobra.Command) *string {
	return c.Flags().String("for", "1h", "how long, as in 90m; 0 is until holdfast function unpause")
}

func pauseCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "pause NAME", Short: "Keep the number of instances as it is for a while",
		Long: `Keep the number of instances of a function as it is. The scaler goes on
deciding, which holdfast explain scaling shows, and carries nothing out. It ends
by itself after --for, and holds through reloads and restarts.`,
		Example: "  holdfast function pause public\n  holdfast function pause public --for 30m --reason \"load test at noon\"",
	}
	length := forFlag(c)
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		return post(c, g, args[0], "pause", admin.HoldOrder{For: *length, Reason: reason}, func(*admin.RecoveryStatus) string {
			return fmt.Sprintf("%s: scaling is paused%s", args[0], heldFor(*length))
		})
	})
}

func pinCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "pin NAME N", Short: "Keep the number of instances at N for a while", Args: cobra.ExactArgs(2),
		Long: `Keep the number of instances of a function at N, within scaling.min_instances
and max_instances. It ends by itself after --for, and holds through reloads and
restarts.`,
		Example: "  holdfast function pin public 4\n  holdfast function pin public 4 --for 2h --reason \"sale begins at noon\"",
	}
	length := forFlag(c)
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 0 {
			return fmt.Errorf("pin at %s: want a number of instances", clean(args[1]))
		}
		return post(c, g, args[0], "pin", admin.PinOrder{Instances: n, For: *length, Reason: reason}, func(*admin.RecoveryStatus) string {
			return fmt.Sprintf("%s: pinned at %s%s", args[0], counted(n, "instance"), heldFor(*length))
		})
	})
}

func unpauseCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "unpause NAME", Aliases: []string{"unpin"}, Short: "Take pause or pin back: scaling goes on",
		Example: "  holdfast function unpause public",
	}
	return ordering(g, c, func(c *cobra.Command, args []string, reason string) error {
		return post(c, g, args[0], "unpause", admin.Reason{Reason: reason}, func(*admin.RecoveryStatus) string {
			return args[0] + ": scaling goes on"
		})
	})
}

func heldFor(length string) string {
	if length == "0" {
		return " until holdfast function unpause"
	}
	return " for " + clean(length)
}
