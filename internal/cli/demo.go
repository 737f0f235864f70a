package cli

import (
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/internal/child"
	"holdfast/internal/demo"
)

// demoFunctionCommand runs one instance of a demo function; `up --demo` starts
// them.
func demoFunctionCommand(*global) *cobra.Command {
	var name, id, host, ledger string
	var port int
	c := &cobra.Command{
		Use: "demo-function", Short: "Run one instance of a demo function", Hidden: true, Args: noArgs,
		Example: "  holdfast demo-function --name public --port 9001",
		RunE: func(c *cobra.Command, _ []string) error {
			return demo.Run(c.Context(), demo.Config{
				Name: name, ID: id, Ledger: ledger, Listen: net.JoinHostPort(host, strconv.Itoa(port)),
			})
		},
	}
	c.Flags().StringVar(&name, "name", "public", "name of the function")
	c.Flags().StringVar(&id, "id", "", "id of the instance")
	c.Flags().StringVar(&ledger, "ledger", "", "file that POSTs to .../ledger are appended to, or postgres://USER@HOST/DB")
	c.Flags().StringVar(&host, "host", "127.0.0.1", "address to listen on; 0.0.0.0 in a container that others reach")
	c.Flags().IntVar(&port, "port", 0, "port to listen on")
	return c
}

// guardCommand outlives Holdfast by a moment and kills its children.
func guardCommand(*global) *cobra.Command {
	return &cobra.Command{
		Use: "process-guard", Hidden: true, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return child.RunGuard(c.InOrStdin()) },
	}
}
