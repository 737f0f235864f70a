package app

import "holdfast/internal/store"

// tellStore logs what happens between the facts and the store, so that nothing
// is lost without a word.
func (a *App) tellStore(n store.Notice) {
	logger := a.logs.For("store")
	switch n.Kind {
	case store.StoreUp:
		logger.Info("the store serves")
	case store.StoreDown:
		logger.Warn("the store is down: facts wait on the disk, orders are refused", "reason", n.Reason)
	case store.FactsDropped:
		logger.Error("facts are lost", "count", n.Count, "reason", n.Reason)
	case store.FactRejected:
		logger.Error("the store refuses a fact or state for good", "reason", n.Reason)
	case store.SpoolRefused:
		logger.Warn("the disk is full or takes no records: free some space in the data directory", "reason", n.Reason)
	case store.SpoolAccepted:
		logger.Info("the disk takes records again")
	case store.SpoolDamaged:
		logger.Error("the spool could not be read back", "bytes", n.Count, "reason", n.Reason)
	}
}
