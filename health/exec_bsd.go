//go:build unix && !linux

package health

import "os/exec"

// waitForGroup waits for the command and kills what it left behind. As long as
// something is left, nobody else gets the group's id.
func waitForGroup(cmd *exec.Cmd) error {
	err := cmd.Wait()
	_ = killGroup(cmd) // usually nobody is left
	return err         //nolint:wrapcheck // judged, not shown
}
