package systemd_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/systemd"
)

// FuzzEnvironment reads what a service manager, or somebody who plays one, puts
// into the environment. A watchdog is never fed at no or a negative distance,
// and sockets are taken only when they are meant for this process.
func FuzzEnvironment(f *testing.F) {
	self := strconv.Itoa(os.Getpid())
	f.Add("30000000", self, self, "2147483648")
	f.Add("9223372036854775807", "", "1", "1")
	f.Add("18446744073709551615", "0", self, "-1")
	f.Add("-5", "x", "", "")
	f.Add("9223372036854776", "", self, " 1")
	f.Fuzz(func(t *testing.T, usec, watched, owner, fds string) {
		if n, err := strconv.Atoi(fds); err == nil && n >= 0 && n <= 64 && owner == self {
			t.Skip("it would take the descriptors of the test")
		}
		environ := []string{"NOTIFY_SOCKET=/nowhere", "WATCHDOG_USEC=" + usec, "WATCHDOG_PID=" + watched, "LISTEN_PID=" + owner, "LISTEN_FDS=" + fds, "LISTEN_FDNAMES=a:b"}
		every := systemd.NewNotifier(environ).Watchdog()
		if every < 0 || every > 0 && every < time.Microsecond || every > 0 && watched != "" && watched != self {
			t.Errorf("WATCHDOG_USEC=%q WATCHDOG_PID=%q: fed every %v", usec, watched, every)
		}
		list, err := systemd.Sockets(environ)
		if len(list) > 0 || (err != nil) != (owner == self) {
			t.Errorf("LISTEN_PID=%q LISTEN_FDS=%q: %v, %v", owner, fds, list, err)
		}
		if err != nil && !strings.Contains(err.Error(), "LISTEN_FDS") {
			t.Errorf("the error does not name the variable: %v", err)
		}
	})
}
