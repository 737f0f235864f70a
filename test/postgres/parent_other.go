//go:build !linux

package postgres

import "syscall"

// dieWithParent does nothing where the system cannot.
func dieWithParent(*syscall.SysProcAttr) {}
