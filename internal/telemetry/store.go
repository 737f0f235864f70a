package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Store is how the store is, and what waits for it.
type Store struct {
	Up                                bool
	Queued, Spooled, InMemory, States int
	SpoolBytes                        int64
	Delivered, Dropped, Rejected      uint64
	LostStates                        uint64
}

type storeCollector struct {
	described

	read                                                                             func() Store
	up, queued, spooled, bytes, inMemory, states, delivered, dropped, rejected, lost *prometheus.Desc
}

func newStoreCollector(all *catalog, read func() Store) *storeCollector {
	all.group("Store", "Facts (events, decisions, entries of the log of changes) go to the store by way of a spool on the disk, which keeps them while the store is down.")
	c := &storeCollector{
		read:      read,
		up:        all.describe("store_up", "1 while the store serves."),
		queued:    all.describe("store_queued_facts", "Facts in memory that are not on the disk yet."),
		spooled:   all.describe("store_spooled_facts", "Facts on the disk that wait for the store."),
		bytes:     all.describe("store_spool_bytes", "Size of the spool on the disk."),
		inMemory:  all.describe("store_unspooled_facts", "Of the facts that wait, those that the disk refused: they would be lost with the process."),
		states:    all.describe("store_waiting_states", "Latest states that wait for the store."),
		delivered: all.describe("store_delivered_facts_total", "Facts that the store took; one sent twice counts twice."),
		dropped:   all.describe("store_dropped_facts_total", "Facts lost because a bound was reached."),
		rejected:  all.describe("store_rejected_facts_total", "Facts and states that the store refuses for good."),
		lost:      all.describe("store_dropped_states_total", "States dropped because there were too many."),
	}
	c.described = described{c.up, c.queued, c.spooled, c.bytes, c.inMemory, c.states, c.delivered, c.dropped, c.rejected, c.lost}
	return c
}

// Collect implements prometheus.Collector.
func (c *storeCollector) Collect(ch chan<- prometheus.Metric) {
	to, s := scrape{ch: ch}, c.read()
	to.gauge(c.up, oneIf(s.Up))
	to.gauge(c.queued, float64(s.Queued))
	to.gauge(c.spooled, float64(s.Spooled))
	to.gauge(c.bytes, float64(s.SpoolBytes))
	to.gauge(c.inMemory, float64(s.InMemory))
	to.gauge(c.states, float64(s.States))
	to.counter(c.delivered, s.Delivered)
	to.counter(c.dropped, s.Dropped)
	to.counter(c.rejected, s.Rejected)
	to.counter(c.lost, s.LostStates)
}
