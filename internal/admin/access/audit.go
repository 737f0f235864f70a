package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"holdfast/internal/store"
)

// Auditor keeps the audit log. store.Store is one.
type Auditor interface {
	Audit(ctx context.Context, e store.AuditEntry) error
}

// Audit makes changes and their entries one thing. Safe for concurrent use.
type Audit struct {
	log    Auditor
	logger *slog.Logger
}

// NewAudit writes to log; a nil logger is silent.
func NewAudit(log Auditor, logger *slog.Logger) *Audit {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Audit{log, logger}
}

// Change is something somebody wants to do. Before and After may be anything
// that can be written as JSON; secrets in them are masked.
type Change struct {
	Action string // "function.scale", "breaker.reset" ...
	Target string // the function, instance or key
	Before any    // what it is now; nil: nothing worth noting
	After  any    // what it shall be
	Reason string // why, in the words of who wants it; may be empty
}

// Do writes the entry, makes the change, and writes a second entry when that
// fails. A change whose entry cannot be written is not made; the error then
// wraps the store's. So an entry without error means: it was ordered, and
// nothing said that it failed. The second entry outlives the request it
// belongs to.
//
// Changes of the store itself (tokens, configuration) are written by the
// store, in the same transaction; their handlers call Covered instead.
func (a *Audit) Do(ctx context.Context, c Change, do func(context.Context) error) error {
	e, err := a.begin(ctx, c)
	if err != nil {
		return err
	}
	if err = do(ctx); err != nil {
		a.end(ctx, e, err)
	}
	return err
}

// DoTelling is Do for a change whose outcome is known only afterwards, such as
// how many sessions were cleared: a second entry tells it, in place of After.
func (a *Audit) DoTelling(ctx context.Context, c Change, do func(context.Context) (outcome any, err error)) error {
	e, err := a.begin(ctx, c)
	if err != nil {
		return err
	}
	outcome, err := do(ctx)
	if outcome != nil {
		e.After = MaskJSON(outcome)
	}
	a.end(ctx, e, err)
	return err
}

// begin writes the entry of a change that is about to be made.
func (a *Audit) begin(ctx context.Context, c Change) (store.AuditEntry, error) {
	Covered(ctx)
	e := entry(FromContext(ctx), c.Action, c.Target)
	e.Before, e.After, e.Reason = MaskJSON(c.Before), MaskJSON(c.After), Mask(c.Reason)
	if err := a.record(ctx, e); err != nil {
		return e, fmt.Errorf("nothing was changed, because it cannot be written into the audit log: %w", err)
	}
	return e, nil
}

// end writes what became of it.
func (a *Audit) end(ctx context.Context, e store.AuditEntry, err error) {
	e.ID, e.At = store.NewID(), time.Now()
	if err != nil {
		e.Error = Mask(err.Error())
	}
	a.must(context.WithoutCancel(ctx), e)
}

// must records what has happened already: who cannot be told is the log.
func (a *Audit) must(ctx context.Context, e store.AuditEntry) {
	if err := a.record(ctx, e); err != nil {
		a.logger.LogAttrs(ctx, slog.LevelError, "audit entry lost", slog.String("action", e.Action), slog.String("target", Mask(e.Target)),
			slog.String("who", e.Actor.Name), slog.String("outcome", e.Error), slog.String("error", Mask(err.Error())))
	}
}

func (a *Audit) record(ctx context.Context, e store.AuditEntry) error {
	if err := a.log.Audit(ctx, e); err != nil {
		return fmt.Errorf("write audit entry: %w", err)
	}
	return nil
}

func entry(id Identity, action, target string) store.AuditEntry {
	return store.AuditEntry{ID: store.NewID(), At: time.Now(), Actor: id.Actor(), Action: action, Target: Mask(target)}
}

func isUnavailable(err error) bool { return errors.Is(err, store.ErrUnavailable) }

// Covered says that the entry for the request in ctx is being written, by Do
// or by the store.
func Covered(ctx context.Context) {
	if l, ok := ctx.Value(ledgerKey).(*atomic.Bool); ok {
		l.Store(true)
	}
}

// Handler catches what was forgotten: a request that may change something
// (neither GET nor HEAD nor OPTIONS), succeeded, and was neither put through
// Do nor declared Covered, gets a plain entry with method and path, and a line
// in the log that says so. It stands behind Guard.Handler.
func (a *Audit) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if safeMethod(r.Method) {
			next.ServeHTTP(w, r)
			return
		}
		covered := new(atomic.Bool)
		seen := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(seen, r.WithContext(context.WithValue(r.Context(), ledgerKey, covered)))
		if covered.Load() || seen.status >= http.StatusBadRequest {
			return
		}
		a.logger.LogAttrs(r.Context(), slog.LevelError, "change without audit entry", slog.String("method", r.Method), slog.String("path", Mask(r.URL.Path)))
		e := entry(FromContext(r.Context()), "http."+r.Method, r.URL.Path)
		a.must(context.WithoutCancel(r.Context()), e)
	})
}

// statusWriter remembers the status of an answer; 0 while it is not given is
// 200 to net/http.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusWriter) WriteHeader(status int) {
	if s.status == 0 || s.status < 200 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what is beneath.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
