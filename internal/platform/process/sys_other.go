//go:build unix && !linux

package process

import (
	"context"
	"io"
)

type noHold struct{}

func (noHold) Close() error { return nil }

// holdPort claims nothing: two drivers that choose the same port meet when the
// second child cannot listen, and the second chooses again.
func holdPort(context.Context, int) (io.Closer, error) { return noHold{}, nil }

func ephemeralFrom() int { return 49152 }

func listeningPorts(int) []string { return nil }
