package systemd

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// monotonic is CLOCK_MONOTONIC in microseconds, by which systemd tells an
// answer to this reload from one to the reload before.
func monotonic() (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, fmt.Errorf("read monotonic clock: %w", err)
	}
	return ts.Nano() / 1000, nil
}
