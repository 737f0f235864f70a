//go:build unix && !linux

package systemd

// monotonic: systemd exists on Linux only.
func monotonic() (int64, error) { return 0, nil }
