//go:build !linux

package app

import "context"

// forgetStart does nothing here: the system takes pages back by itself.
func forgetStart(context.Context) error { return nil }
