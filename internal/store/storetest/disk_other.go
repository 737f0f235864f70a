//go:build !linux

package storetest

import (
	"errors"
	"testing"
)

// SmallDisk needs Linux.
func SmallDisk(t *testing.T, _ string) (string, error) {
	t.Helper()
	return "", errors.New("mount a small disk: only on Linux")
}
