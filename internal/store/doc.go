// Package store keeps what Holdfast knows: the four tables of every installation, and tokens, audit, history and the like
// in tables of its own. It holds the records, the interface both databases implement, and the Outbox in front of them.
//
// # Three classes of writes
//
//	command  a person waits       [Configs] [Tokens] [Audits] [Sessions]   synchronous, with a deadline;
//	                                                                       ErrUnavailable when the store is down
//	fact     happened, stays true [ScalingAction] [Event] [Decision]       Outbox.Record: queue, disk, then the store;
//	                              [Minutes]                                delivered at least once, stored exactly once
//	state    the latest counts    [Instance] [Breaker] [NodeState]         Outbox.Keep: one value per key in memory;
//	                                                                       a row newer than ours wins
//
// The gateway only ever calls Record and Keep. Both return at once, whatever the store and the disk are doing.
//
// # The way of a fact
//
//	Record ──► queue (memory, bounded) ──► spool (local disk, bounded) ──► store
//	             full: counted, dropped      full: oldest of the least       answered: removed from the spool
//	                                         valuable kind is dropped        refused for good: counted, dropped
//	                                         disk full: space kept for it,   unavailable: tried again, backing off
//	                                         then memory, bounded
//
// Every fact goes through the spool, also while the store is up, so there is one path and one order. A fact is safe from
// kill -9 when it is in the spool, a few milliseconds after Record; Outbox.Sync waits for that and for the disk. The spool
// is fsynced once a second, so loss of power may cost the facts of the last second. Facts carry an id made by their
// author, and inserting a known id does nothing: a batch that was stored but not yet removed from the spool may be sent
// again without harm.
//
// For a full disk the spool keeps 512 KiB for each kind of fact, about 1,000 events. What comes after these, or when the
// disk refuses for another reason, is in memory only: it reaches the store when there is room again, but kill -9 costs it.
// Health.OnlyInMemory counts it while there is time to do something.
//
// Dropped first when the spool is full: decisions, then history minutes, then events, and scaling actions last; of one
// kind the oldest. Health counts each.
//
// # The way of a state
//
// States are stamped with the time they were true; the stamp is the version, and the tables keep the newest. It is never
// behind the newest stamp this process has seen in the store, so a clock that was set back does not make new states look
// old. States are not spooled: while the store is down the latest ones are kept in one small local file, and after a
// restart they are offered again with their old stamps, so that they lose against anything newer. A full disk takes no
// such file: then a restart begins with what the store had before.
//
// # Who decides
//
// The store says whether a write was taken. The Outbox says whether the store is up: its writer is the only one that asks
// all the time. It changes no tables before Store.Migrate succeeded, which it repeats until then; a store that is down at
// start-up delays nothing.
package store
