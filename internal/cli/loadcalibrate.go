package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/cli/live"
	"holdfast/loadtest/httpload"
)

func calibrateCommand(g *global) *cobra.Command {
	var length time.Duration
	c := &cobra.Command{
		Use: "calibrate", Short: "Measure the most that this machine can generate", Args: noArgs,
		Long: `Run users against a server in the same process that does nothing. A load near
this rate says more about this machine than about the target. Nothing is kept.`,
		Example: "  holdfast load calibrate\n  holdfast load calibrate -d 10s -o json",
		RunE:    func(c *cobra.Command, _ []string) error { return calibrate(c, g, length) },
	}
	c.Flags().DurationVarP(&length, "duration", "d", 2*time.Second, "how long")
	return c
}

// ceilingView is the ceiling as JSON.
type ceilingView struct {
	Rate      float64 `json:"rate"` // requests per second
	CPU       float64 `json:"cpu_us_per_request"`
	Users     int     `json:"users"`
	Generator string  `json:"generator"`
}

func calibrate(c *cobra.Command, g *global, length time.Duration) error {
	if length <= 0 {
		return fmt.Errorf("-d %v: want a duration above 0", length)
	}
	ctx, over := g.interruptible(c.Context())
	defer over()
	found, err := httpload.Calibrate(ctx, length)
	if err != nil {
		return err
	}
	if g.json() {
		return encodeIndented(c.OutOrStdout(), ceilingView{
			Rate: found.Rate, CPU: float64(found.CPU) / float64(time.Microsecond), Users: found.Users, Generator: found.Self.Verdict.String(),
		})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%.0f requests/s with %d users, %s of CPU per request\n"+
		"(half of it for the server that does nothing, which runs here too)\n", found.Rate, found.Users, live.Short(found.CPU))
	return err
}
