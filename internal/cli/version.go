package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// version is set by the build, through the linker.
var version = "dev"

func versionCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  holdfast version -o json", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if g.output == "json" {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]string{"version": version, "go": runtime.Version()})
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "holdfast %s (%s)\n", version, runtime.Version())
			return err
		},
	}
}
