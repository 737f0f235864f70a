package cli

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthcheckTimeout is short: who asks this asks again.
const healthcheckTimeout = 5 * time.Second

func healthcheckCommand(g *global) *cobra.Command {
	var ready bool
	c := &cobra.Command{
		Use: "healthcheck", Short: "Ask whether a running Holdfast is well, for container health checks",
		Long: `Ask the running Holdfast, through the socket in its data directory, whether it
answers; with --ready also whether each function has an available instance.
Prints one line. Exit code 0: yes, 2: no, 3: nobody answers.

A container should be restarted for the first question only: functions without
instances are not healed by a restart of the gateway.`,
		Example: "  holdfast healthcheck\n  holdfast healthcheck --ready -o json",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return healthcheck(c, g, ready) },
	}
	c.Flags().BoolVar(&ready, "ready", false, "also ask whether requests can be served")
	return c
}

func healthcheck(c *cobra.Command, g *global, ready bool) error {
	client := newClient(g)
	if client.err != nil {
		return client.err
	}
	client.http.Timeout = healthcheckTimeout
	path := "/healthz"
	if ready {
		path = "/readyz"
	}
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, client.base+path, nil)
	if err != nil {
		return err
	}
	res, err := client.http.Do(req)
	if err != nil {
		return client.unreachable(err)
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return client.unreachable(err)
	}
	line, ok := clean(strings.TrimSpace(string(text))), res.StatusCode == http.StatusOK
	if g.json() {
		err = encodeIndented(c.OutOrStdout(), map[string]any{"ok": ok, "says": line})
	} else if ok {
		_, err = io.WriteString(c.OutOrStdout(), line+"\n")
	}
	if err == nil && !ok {
		return withCode(exitFailed, errors.New(line))
	}
	return err
}
