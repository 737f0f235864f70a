//go:build !linux

package monitor

import "time"

// Elsewhere only the Go runtime is measured, and what health answers say.

func processes() []processUse { return nil }
func ownCPU() time.Duration   { return 0 }
func ownMemory() uint64       { return 0 }
func openFiles() int          { return 0 }
func memoryLimit() uint64     { return 0 }
