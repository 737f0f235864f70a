package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// breakerChannel is where holdfast_reset_breaker speaks.
const breakerChannel = "holdfast_reset_breaker"

// Listen calls reset with the name of each function whose breaker somebody reset with holdfast_reset_breaker, until ctx
// ends; it returns nil then. It keeps one connection of its own and makes it anew when it breaks, waiting up to 10 s
// between tries; what was said meanwhile is lost to it, but not to the table. report is told why it does not listen, once
// for each try; it may be nil.
func (s *Store) Listen(ctx context.Context, reset func(function string), report func(error)) error {
	wait := 250 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		err := s.listen(ctx, reset)
		if report != nil && ctx.Err() == nil {
			report(s.Explain(ctx, "listen", err))
		}
		if time.Since(began) > time.Minute {
			wait = 250 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, 10*time.Second)
	}
	return nil
}

// listen returns why it stopped.
func (s *Store) listen(ctx context.Context, reset func(string)) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+breakerChannel); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait for a notification: %w", err)
		}
		reset(n.Payload)
	}
}
