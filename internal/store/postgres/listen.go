package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"holdfast/internal/store"
)

// Where migration 00003 speaks. A notice says that there is something to read, not what.
const (
	breakerChannel = "holdfast_reset_breaker"
	tokensChannel  = "holdfast_tokens"
)

// Listener is told of what was changed on the server. Its functions are called one at a time, by the goroutine of Listen;
// what is said meanwhile waits.
type Listener struct {
	// Reset hears of every breaker that was reset with holdfast_reset_breaker, and by whom.
	Reset func(function string, by store.Actor)
	// Tokens hears that tokens were made or revoked, here or by another node, and that they may have been.
	Tokens func()
	// Listening hears that a connection listens; nil: nobody cares.
	Listening func()
	// Broken hears why there is no connection, once for each try; nil: nobody cares.
	Broken func(error)
}

const (
	firstWait  = 250 * time.Millisecond
	longWait   = 10 * time.Second
	stableTime = time.Minute // after which a broken connection is an accident
)

// Listen tells l what happens until ctx ends; it returns nil then. It keeps one connection of its own, which must not go
// through a transaction pooler, and makes it anew when it breaks, waiting up to 10 s between tries. What was said meanwhile
// is made up for: resets are read from the audit log, which keeps them, and tokens are read again.
func (s *Store) Listen(ctx context.Context, l Listener) error {
	heard := &resets{store: s}
	wait := firstWait
	for ctx.Err() == nil {
		began := time.Now()
		err := s.listen(ctx, l, heard)
		if l.Broken != nil && ctx.Err() == nil {
			l.Broken(s.Explain(ctx, "listen", err))
		}
		if time.Since(began) > stableTime {
			wait = firstWait
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longWait)
	}
	return nil
}

// listen returns why it stopped.
func (s *Store) listen(ctx context.Context, l Listener, heard *resets) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+breakerChannel+"; LISTEN "+tokensChannel); err != nil {
		return err
	}
	if l.Listening != nil {
		l.Listening()
	}
	// What was said before somebody listened.
	if err := heard.tell(ctx, l.Reset); err != nil {
		return err
	}
	l.Tokens()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait for a notice: %w", err)
		}
		if n.Channel == tokensChannel {
			l.Tokens()
		} else if err := heard.tell(ctx, l.Reset); err != nil {
			return err
		}
	}
}

// resets reads the entries that holdfast_reset_breaker leaves in the audit log.
type resets struct {
	store *Store
	last  time.Time          // the newest one's, by the server's clock
	told  map[uuid.UUID]bool // nil before the first look
}

// overlap is how much later than its entry's stamp a transaction may be committed without being missed.
const overlap = time.Hour

// tell calls reset for each new entry, the oldest first. Those from before the first look are none of its business: what
// was reset before the start began closed.
func (r *resets) tell(ctx context.Context, reset func(string, store.Actor)) error {
	if r.told == nil {
		if err := r.store.Read(ctx, "ask for the time", func(ctx context.Context, db *sql.DB) error {
			return db.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&r.last)
		}); err != nil {
			return err
		}
	}
	list, err := r.store.AuditLog(ctx, store.Query{Kind: "breaker.reset", From: r.last.Add(-overlap), Limit: 1000})
	if err != nil {
		return err
	}
	before := r.told
	r.told = make(map[uuid.UUID]bool, len(list))
	for _, e := range slices.Backward(list) {
		r.told[e.ID] = true
		if e.At.After(r.last) {
			r.last = e.At
		}
		if before != nil && !before[e.ID] && strings.HasPrefix(e.Actor.Source, "database") {
			reset(e.Target, e.Actor)
		}
	}
	return nil
}
