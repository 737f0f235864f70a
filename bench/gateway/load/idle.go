//go:build linux

package load

import (
	"context"
	"errors"
)

// Idle opens connections that have had one exchange each and then stay silent
// until close is called.
func Idle(ctx context.Context, t Target, connections int) (*Client, error) {
	opening := t
	if len(t.Hello) == 0 {
		opening.Hello = t.Request
	}
	c, err := Connect(ctx, opening, connections, 1)
	if err != nil {
		return nil, errors.Join(errIdle, err)
	}
	return c, nil
}

var errIdle = errors.New("hold idle connections")
