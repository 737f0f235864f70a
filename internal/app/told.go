package app

import (
	"context"
	"log/slog"

	"holdfast/internal/store"
)

// tellStore logs what happens between the facts and the store, so that nothing
// is lost without a word.
func (a *App) tellStore(n store.Notice) {
	level, text := slog.LevelWarn, ""
	switch n.Kind {
	case store.StoreUp:
		level, text = slog.LevelInfo, "the store serves"
	case store.StoreDown:
		text = "the store is down: facts wait on the disk, orders are refused"
	case store.FactsDropped:
		level, text = slog.LevelError, "facts are lost"
	case store.FactRejected:
		level, text = slog.LevelError, "the store refuses a fact or state for good"
	case store.SpoolRefused:
		text = "the disk is full or takes no records: free some space in the data directory"
	case store.SpoolAccepted:
		level, text = slog.LevelInfo, "the disk takes records again"
	case store.SpoolDamaged:
		level, text = slog.LevelError, "the spool could not be read back"
	}
	var more []slog.Attr
	if n.Count > 0 {
		more = append(more, slog.Uint64("count", n.Count))
	}
	if n.Reason != "" {
		more = append(more, slog.String("reason", n.Reason))
	}
	a.logs.For("store").LogAttrs(context.Background(), level, text, more...)
}
