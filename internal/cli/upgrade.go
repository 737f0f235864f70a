package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/app"
	"holdfast/internal/handover"
)

func upgradeCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "upgrade", Short: "Have a running Holdfast replaced by its present binary, without losing a request",
		Long: `Have a running Holdfast start its successor: the binary that is on disk now,
with the same arguments and "up --replace". The successor reads the
configuration, starts its instances, and when they are ready it gets the
listening sockets; the old process finishes what it has and ends. If the
successor does not become ready, the old process goes on, and this command
says so with exit code 2.

This is for services: under systemd the successor stays in the same unit and
becomes its main process. In a container, replace the container. At a terminal,
start the new one there: holdfast up ... --replace.`,
		Example: "  install -m 755 holdfast-new /usr/bin/holdfast && holdfast upgrade",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return upgrade(c, g) },
	}
}

func upgrade(c *cobra.Command, g *global) error {
	pid, err := handover.Upgrade(c.Context(), filepath.Join(g.dataDirOf(), app.HandoverName))
	switch {
	case errors.Is(err, handover.ErrNobody):
		return withCode(exitUnreachable, newClient(g).unreachable(os.ErrNotExist))
	case errors.Is(err, handover.ErrRefused):
		return withCode(exitFailed, err)
	case err != nil:
		return err
	}
	if g.json() {
		return encodeIndented(c.OutOrStdout(), map[string]int{"pid": pid})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "process %d has taken over; the old one is finishing what it has\n", pid)
	return err
}

// successor makes the command that replaces this process: the binary at the
// same place, which may be a newer one by then.
func successor(env *Environment, self string) func() *exec.Cmd {
	args := slices.Clone(env.Args)
	end := len(args)
	if i := slices.Index(args, "--"); i >= 0 { // what follows is a command
		end = i
	}
	if !slices.Contains(args[:end], "--replace") {
		args = slices.Insert(args, end, "--replace")
	}
	return func() *exec.Cmd {
		cmd := exec.Command(self, args...) //nolint:noctx // it outlives this process
		cmd.Env = slices.DeleteFunc(slices.Clone(env.Environ), func(kv string) bool {
			// Meant for this process alone, by its number.
			return strings.HasPrefix(kv, "LISTEN_") || strings.HasPrefix(kv, "WATCHDOG_PID=")
		})
		cmd.Stdout, cmd.Stderr = env.Stdout, env.Stderr
		return cmd
	}
}
