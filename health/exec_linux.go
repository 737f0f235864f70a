package health

import (
	"errors"
	"os/exec"

	"golang.org/x/sys/unix"
)

// waitForGroup waits for the command and kills what it left behind. The command
// is still a zombie then, so that nobody else has the group's id.
func waitForGroup(cmd *exec.Cmd) error {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break // with any other error there is nothing to wait for here
		}
	}
	_ = killGroup(cmd) // usually nobody is left
	return cmd.Wait()  //nolint:wrapcheck // judged, not shown
}
