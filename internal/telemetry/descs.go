package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// descs are the metrics of functions and instances.
type descs struct {
	exchanges, reasons, attempts, retries, fallbacks, bytes *prometheus.Desc

	duration, inFlight, waiting, oldestWait, lastRequest, sessions *prometheus.Desc
	coldStart, coldHeld                                            *prometheus.Desc

	breakerState, breakerIn, breakerFailures        *prometheus.Desc
	budget, budgetRefused                           *prometheus.Desc
	instances, available, panicking                 *prometheus.Desc
	eventsDropped, checks, checkFailures            *prometheus.Desc
	up, ejected, instanceInFlight, ewma             *prometheus.Desc
	picks, instanceAttempts, instanceFailedAttempts *prometheus.Desc
	restarts, weight                                *prometheus.Desc
}

func newDescs(c *catalog) *descs {
	d := &descs{}
	c.group("Exchanges", "A request of a client, from its arrival to its answer, is an exchange of a function; a try on an instance is an attempt.")
	d.ofExchanges(c.describe)
	d.duration = c.histogram("exchange_duration_seconds", "Seconds from the arrival of a request to the head of its answer; long streams and clients that left are not in it.", "function")
	d.coldStart = c.histogram("cold_start_seconds", "Seconds from the first request that found no instance until one took traffic. Of functions that may have none.", "function")
	c.group("Functions", "What a function decides with: its breaker, the budget of retries, sessions, its instances taken together.")
	d.ofFunctions(c.describe)
	c.group("Instances", "One series for each instance of a function.")
	d.ofInstances(c.describe)
	return d
}

type describe func(name, help string, labels ...string) *prometheus.Desc

func (d *descs) ofExchanges(about describe) {
	const fn = "function"
	d.exchanges = about("exchanges_total", "Exchanges that are over for the function, by status class; client_gone: the client left. One handed to a fallback function counts in both.", fn, "class")
	d.reasons = about("exchange_reasons_total", "The same exchanges by the reason of their end; ok: an instance answered, whatever the status.", fn, "reason")
	d.attempts = about("attempts_total", "Attempts on instances.", fn)
	d.retries = about("retries_total", "Attempts that were not the first of their exchange.", fn)
	d.fallbacks = about("fallbacks_total", "Exchanges answered by a fallback.", fn)
	d.bytes = about("response_body_bytes_total", "Bytes of answers' bodies sent to clients.", fn)
	d.inFlight = about("exchanges_in_flight", "Exchanges inside the function, without those that wait.", fn)
	d.waiting = about("exchanges_waiting", "Exchanges that wait for a place, an instance or a probe of the breaker.", fn)
	d.oldestWait = about("exchanges_oldest_wait_seconds", "Seconds the longest waiting exchange has waited.", fn)
	d.coldHeld = about("cold_start_requests_total", "Requests that were held until an instance had started.", fn)
	d.lastRequest = about("last_request_timestamp_seconds", "Unix time in seconds of the last request's arrival; 0: none yet.", fn)
}

func (d *descs) ofFunctions(about describe) {
	const fn = "function"
	d.sessions = about("sessions", "Sessions that affinity holds.", fn)
	d.breakerState = about("breaker_state", "State of the breaker: 0 closed, 1 open, 2 half-open. Missing for functions without one.", fn)
	d.breakerIn = about("breaker_in_state", "1 for the state the breaker is in, 0 for the others.", fn, "state")
	d.breakerFailures = about("breaker_consecutive_failures", "Failures in a row: now when the breaker is closed, else those that opened it.", fn)
	d.budget = about("retry_budget_available", "Retries the budget has room for.", fn)
	d.budgetRefused = about("retry_budget_refused_total", "Retries the budget refused.", fn)
	d.instances = about("instances", "Instances by status.", fn, "status")
	d.available = about("instances_available", "Instances that may get traffic.", fn)
	d.panicking = about("panic", "1 while so few instances are healthy that health is ignored.", fn)
	d.eventsDropped = about("events_dropped_total", "Events lost because nobody took them in time.", fn)
}

func (d *descs) ofInstances(about describe) {
	labels := []string{"function", "instance"}
	d.up = about("instance_up", "1 while the instance may get traffic for being well: active, or ready and ramping up.", labels...)
	d.ejected = about("instance_ejected", "1 while the instance is out of rotation for its own results.", labels...)
	d.instanceInFlight = about("instance_in_flight", "Attempts under way on the instance.", labels...)
	d.ewma = about("instance_latency_ewma_seconds", "Latency estimate in seconds that picks go by; failures count in it.", labels...)
	d.picks = about("instance_picks_total", "Attempts begun on the instance, those under way included.", labels...)
	d.instanceAttempts = about("instance_attempts_total", "Finished attempts on the instance.", labels...)
	d.instanceFailedAttempts = about("instance_attempt_failures_total", "Finished attempts on the instance that failed.", labels...)
	d.checks = about("instance_checks_total", "Health checks of the instance that this Holdfast made.", labels...)
	d.checkFailures = about("instance_check_failures_total", "Health checks of the instance that failed.", labels...)
	d.restarts = about("instance_restarts_total", "How often the platform driver started the instance again after it had ended.", labels...)
	d.weight = about("instance_weight", "Weight of the instance now, after slow start.", labels...)
}

func (d *descs) all() []*prometheus.Desc {
	return []*prometheus.Desc{
		d.exchanges, d.reasons, d.attempts, d.retries, d.fallbacks, d.bytes, d.coldStart, d.coldHeld,
		d.duration, d.inFlight, d.waiting, d.oldestWait, d.lastRequest, d.sessions,
		d.breakerState, d.breakerIn, d.breakerFailures, d.budget, d.budgetRefused,
		d.instances, d.available, d.panicking, d.eventsDropped, d.checks, d.checkFailures, d.restarts, d.weight,
		d.up, d.ejected, d.instanceInFlight, d.ewma, d.picks, d.instanceAttempts, d.instanceFailedAttempts,
	}
}

// durationBounds are ends of buckets of [exchange.Histogram], so that the
// counts are exact; the nearest to 1, 2.5, 5, 10, 25 ... ms and 60 s.
func durationBounds() []time.Duration {
	end := func(power, eighths int) time.Duration {
		return 1<<power + time.Duration(eighths)<<(power-3)
	}
	return []time.Duration{
		end(20, 0), end(21, 2), end(22, 2), end(23, 2), end(24, 4), end(25, 4), end(26, 4), end(27, 7),
		end(28, 7), end(29, 7), end(31, 1), end(32, 1), end(33, 1), end(34, 6), end(35, 6),
	}
}
