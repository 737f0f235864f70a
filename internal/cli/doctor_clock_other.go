//go:build !linux

package cli

import "time"

// lookAtClock can only tell a clock that was never set.
func (d *doctor) lookAtClock() { d.judgeClock(time.Now(), true) }
