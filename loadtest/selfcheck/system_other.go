//go:build !linux

package selfcheck

import (
	"runtime"
	"time"
)

func processCPU() time.Duration { return 0 }

// Capacity is how many seconds of CPU the process may use in a second.
func Capacity() float64 { return float64(min(runtime.GOMAXPROCS(0), runtime.NumCPU())) }

func stolen() (steal, whole float64) { return 0, 0 }
func files() (open, limit int)       { return 0, 0 }
func ports() (used, limit int)       { return 0, 0 }
