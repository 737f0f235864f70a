//go:build unix

package child

import "golang.org/x/sys/unix"

// reapGroup takes in dead processes of the group that became ours because
// their parent is gone, which happens when Holdfast is a container's first
// process. It reaps no others: those have somebody who waits for them.
func reapGroup(pgid int) {
	for {
		pid, err := unix.Wait4(-pgid, nil, unix.WNOHANG, nil)
		if err != nil || pid <= 0 {
			return
		}
	}
}
