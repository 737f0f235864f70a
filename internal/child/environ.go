package child

import (
	"slices"
	"strings"
)

// Inheritable is what of an environment children may see: it leaves out what
// is addressed to Holdfast itself: its own
// settings, secrets among them, and the service manager's messages.
func Inheritable(environ []string) []string {
	private := []string{"HOLDFAST_", "LISTEN_", "NOTIFY_SOCKET=", "WATCHDOG_", "INVOCATION_ID=", "MAINPID="}
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		return slices.ContainsFunc(private, func(p string) bool { return strings.HasPrefix(entry, p) })
	})
}
