package exchange_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/retry"
)

// world is a function with a fallback function, and everything that can happen
// to them, in random order.
type world struct {
	*rig
	rng     *rand.Rand
	backup  *exchange.Function
	clients []*worldClient
	ever    []*balancer.Instance
	cookies []string
	began   int
	bound   int // of the exchanges in flight, while a lowered limit is reached
	ejects  bool
	waited  map[exchange.Reason]int
}

type worldClient struct {
	*client
	relaying bool
	over     bool // nothing but End is left
}

func newWorld(tb testing.TB, seed uint64, change func(*exchange.FunctionConfig)) *world {
	tb.Helper()
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), waited: map[exchange.Reason]int{}}
	w.ejects = w.chance(50)
	w.rig = newRig(tb, 3, func(c *exchange.FunctionConfig) {
		c.Policy.WaitForInstance, c.Policy.Managed = time.Second, w.chance(50)
		c.Policy.MaxInFlight, c.Policy.QueueSize = 4, 3
		c.Policy.Timeouts = exchange.Timeouts{Attempt: 3 * time.Second, Exchange: 10 * time.Second}
		c.Breaker = &breaker.Config{RecoveryTimeout: 3 * time.Second, HalfOpenTimeout: time.Hour}
		c.Balancer.Ejection = balancer.Ejection{Disabled: !w.ejects, BaseTime: 2 * time.Second}
		if change != nil {
			change(c)
		}
	})
	w.backup = w.function("x", 2, func(c *exchange.FunctionConfig) { c.Policy.MaxInFlight, c.Policy.QueueSize = 2, 1 })
	w.update(func(c *exchange.FunctionConfig) {
		if w.chance(50) {
			c.Policy.Fallback = &exchange.Fallback{Function: w.backup}
		}
	})
	w.bound = 1 << 30
	w.ever = w.f.Balancer().Instances()
	w.swapInstances()
	w.ever = append(w.ever, w.backup.Balancer().Instances()...)
	return w
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// one of the choices, at random.
func one[T any](w *world, of ...T) T { return of[w.rng.IntN(len(of))] }

// step lets one thing happen.
func (w *world) step() {
	w.pass(time.Duration(w.rng.IntN(20)) * time.Millisecond)
	switch p := w.rng.IntN(100); {
	case p < 25 && len(w.clients) < 12:
		w.beginOne()
	case p < 90 && len(w.clients) > 0:
		w.drive(one(w, w.clients...))
	case p < 93:
		w.touchInstance()
	case p < 94:
		w.swapInstances()
	case p < 96:
		w.reload()
	case p < 97:
		if br := w.f.Breaker(); br != nil {
			one(w, func() { br.ForceOpen("test", w.now) }, func() { br.Reset("test", w.now) })()
		}
	case p < 98:
		w.f.ClearSessions(w.now)
	default:
		w.pass(time.Duration(w.rng.IntN(4000)) * time.Millisecond)
	}
	w.clients = slices.DeleteFunc(w.clients, func(c *worldClient) bool {
		if c.over {
			c.end()
		}
		return c.over
	})
}

func (w *world) beginOne() {
	w.began++
	q := exchange.Request{Method: one(w, "GET", "GET", "POST"), Path: fmt.Sprintf("/%d", w.rng.IntN(50))}
	q.Client = netip.AddrFrom4([4]byte{10, 0, 0, byte(w.rng.IntN(20))})
	if len(w.cookies) > 0 && w.chance(70) {
		q.Header = http.Header{"Cookie": {"hf=" + one(w, w.cookies...)}}
	}
	c := &worldClient{client: w.begin(q)}
	w.note(c)
	w.clients = append(w.clients, c)
}

func (w *world) note(c *worldClient) {
	c.relaying = c.relaying || c.step.Do == exchange.Relay
	c.over = c.step.Do == exchange.Answer || c.step.Do == exchange.Finished
	if c.step.Do == exchange.Wait {
		w.waited[c.step.Reason]++
	}
}

// drive lets the engine of one exchange do something.
func (w *world) drive(c *worldClient) {
	if c.over {
		return
	}
	if w.chance(4) {
		c.x.Abort(w.now)
		c.over = true
		return
	}
	if w.chance(5) { // an engine that is confused
		n := w.rng.IntN(8)
		if c.step.Do == exchange.Wait || n != c.step.Attempt {
			c.x.Head(n, exchange.Head{Status: 200}, w.now)
			c.x.Done(n, exchange.Outcome{}, w.now)
		}
	}
	switch {
	case c.step.Do == exchange.Wait:
		if w.chance(30) {
			w.now = later(w.now, c.step.Until)
		}
		c.wakes.Store(0)
		c.next()
	case c.relaying:
		c.done(exchange.Outcome{Kind: one(w, retry.OK, retry.OK, retry.OK, retry.Reset, retry.Timeout, retry.Canceled), Bytes: 9})
	case w.chance(3):
		c.x.Next(w.now) // woken for nothing while it works
	case w.chance(75):
		w.answerHead(c)
	default:
		if w.chance(50) {
			w.now = later(w.now, c.step.Until)
		}
		c.done(exchange.Outcome{
			Kind: one(w, retry.Unreachable, retry.Timeout, retry.Reset, retry.Reset, retry.Canceled),
			Sent: w.chance(80), Replayable: w.chance(80),
		})
	}
	w.note(c)
}

func (w *world) answerHead(c *worldClient) {
	c.head(exchange.Head{
		Status:     one(w, 200, 200, 200, 200, 200, 404, 500, 503, 101),
		RetryAfter: one(w, 0, 0, time.Second), Replayable: w.chance(80), Long: w.chance(10),
	})
	if c.step.SetCookie != "" {
		w.cookies = append(w.cookies, c.step.SetCookie)
		w.cookies = w.cookies[max(0, len(w.cookies)-8):]
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (w *world) touchInstance() {
	b := w.f.Balancer()
	list := b.Instances()
	if len(list) == 0 {
		return
	}
	i := one(w, list...)
	switch w.rng.IntN(3) {
	case 0:
		b.SetHealth(i, one(w, balancer.HealthUp, balancer.HealthUp, balancer.HealthDown, balancer.HealthUnknown), "test", w.now)
	case 1:
		b.SetLifecycle(i, one(w, balancer.Running, balancer.Running, balancer.Starting, balancer.Gone, balancer.Stopped), "test", w.now)
	case 2:
		b.SetDraining(i, w.chance(30), "test", w.now)
	}
}

func (w *world) swapInstances() {
	list := w.f.Balancer().Instances()
	if len(list) > 0 && w.chance(50) {
		list = list[1:]
	}
	var fresh []*balancer.Instance
	for range w.rng.IntN(3) {
		fresh = append(fresh, balancer.NewInstance(balancer.Spec{
			ID: fmt.Sprintf("n%d", len(w.ever)+len(fresh)), MaxInFlight: one(w, 0, 1, 2),
			Priority: one(w, 0, 0, 1), Weight: 1 + w.rng.IntN(5),
		}))
	}
	w.ever = append(w.ever, fresh...)
	list = append(slices.Clone(list), fresh...)
	w.f.SetInstances(list, w.now)
	for _, i := range list {
		if w.chance(80) {
			w.f.Balancer().SetHealth(i, balancer.HealthUp, "test", w.now)
		}
	}
}

func (w *world) reload() {
	w.bound = max(w.f.InFlight(), 0)
	w.update(func(c *exchange.FunctionConfig) {
		c.Policy.MaxInFlight = one(w, 0, 1, 2, 4, 8)
		c.Policy.QueueSize = one(w, 0, 3)
		c.Policy.Retry.Attempts = w.rng.IntN(exchange.MaxRetries + 1)
		switch {
		case w.chance(20):
			c.Breaker = nil
		case c.Breaker == nil:
			c.Breaker = &breaker.Config{RecoveryTimeout: 3 * time.Second, HalfOpenTimeout: time.Hour}
		}
	})
}

// check holds after every step.
func (w *world) check() error {
	limit, in := w.f.Policy().MaxInFlight, w.f.InFlight()
	if w.bound = max(limit, min(w.bound, in)); limit > 0 && in > w.bound {
		return fmt.Errorf("%d in flight, limit %d", in, limit)
	}
	running := map[*balancer.Instance]int{}
	at := map[*exchange.Function]int{}
	var look struct{ queued, probes, instances []*worldClient }
	for _, c := range w.clients {
		if c.over {
			continue
		}
		at[c.x.Function()]++
		switch {
		case c.step.Do == exchange.Attempt, c.relaying:
			running[c.step.Instance]++
		case c.x.Function() != w.f:
		case c.step.Reason == exchange.ReasonQueued:
			look.queued = append(look.queued, c)
		case c.step.Reason == exchange.ReasonHalfOpen:
			look.probes = append(look.probes, c)
		case c.step.Reason != exchange.ReasonBackoff:
			look.instances = append(look.instances, c)
		}
	}
	for _, i := range w.ever {
		if got := i.InFlight(); got != running[i] {
			return fmt.Errorf("%s has %d in flight, want %d", i.ID(), got, running[i])
		}
	}
	waiting := len(look.queued) + len(look.probes) + len(look.instances)
	if n, _ := w.f.Waiting(w.now); n > waiting || n < waiting-len(look.queued) {
		return fmt.Errorf("%d wait, want %d", n, waiting)
	}
	if n := w.f.InFlight() + len(look.queued); n < at[w.f] {
		return fmt.Errorf("%d in flight with the queued, but %d are there", n, at[w.f])
	}
	if asleep(look.queued) && (limit == 0 || in < limit) {
		return fmt.Errorf("%d queue and sleep at %d of %d in flight", len(look.queued), in, limit)
	}
	if br := w.f.Breaker(); asleep(look.probes) && br != nil {
		if s := br.Snapshot(w.now); s.State != breaker.HalfOpen || s.HalfOpenCalls < 3 {
			return fmt.Errorf("%d wait for a probe and sleep at a breaker %s with %d calls", len(look.probes), s.State, s.HalfOpenCalls)
		}
	}
	// An ejection ends without a noise.
	var p balancer.Pick
	if asleep(look.instances) && !w.ejects && w.f.Balancer().Pick(&p, w.now) {
		return fmt.Errorf("%d wait for an instance and sleep while %s is there", len(look.instances), p.Instance.ID())
	}
	return nil
}

// asleep: somebody waits, and nobody was woken to look.
func asleep(list []*worldClient) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(c *worldClient) bool { return c.wakes.Load() > 0 })
}

// finish brings everything to an end and checks that nothing is left.
func (w *world) finish() {
	w.tb.Helper()
	for _, c := range w.clients {
		if w.chance(50) {
			c.x.Abort(w.now)
		}
		c.end()
	}
	w.idle()
	isIdle(w.tb, w.backup, w.now)
	for _, i := range w.ever {
		if n := i.InFlight(); n != 0 {
			w.tb.Errorf("%s still has %d in flight", i.ID(), n)
		}
	}
	if len(w.seen) != w.began {
		w.tb.Errorf("%d exchanges began, %d were recorded", w.began, len(w.seen))
	}
}

func TestWhateverHappensNothingLeaks(t *testing.T) {
	t.Parallel()
	waited, ended := map[exchange.Reason]int{}, map[exchange.Reason]int{}
	for seed := range uint64(60) {
		w := newWorld(t, seed, nil)
		for n := range 1500 {
			w.step()
			if err := w.check(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, n, err)
			}
		}
		w.finish()
		for why, n := range w.waited {
			waited[why] += n
		}
		for i := range w.seen {
			ended[w.seen[i].Reason]++
			if err := w.seen[i].Replay(); err != nil {
				t.Fatalf("seed %d: %v: %s", seed, err, w.seen[i].Explain())
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("waited: %v", waited)
	t.Logf("ended: %v", ended)
	for _, why := range []exchange.Reason{
		exchange.ReasonQueued, exchange.ReasonHalfOpen, exchange.ReasonStarting, exchange.ReasonNoInstance,
		exchange.ReasonInstancesFull, exchange.ReasonBackoff,
	} {
		if waited[why] < 20 {
			t.Errorf("waited %d times for %q: the model does not get there", waited[why], why)
		}
	}
	for _, why := range []exchange.Reason{
		exchange.ReasonNone, exchange.ReasonBreakerOpen, exchange.ReasonQueueFull, exchange.ReasonQueueTimeout, exchange.ReasonStarting,
		exchange.ReasonNoInstance, exchange.ReasonInstancesFull, exchange.ReasonUnreachable, exchange.ReasonAttemptTimeout,
		exchange.ReasonExchangeTimeout, exchange.ReasonReset, exchange.ReasonTruncated, exchange.ReasonClientGone,
	} {
		if ended[why] < 20 {
			t.Errorf("ended %d times with %q: the model does not get there", ended[why], why)
		}
	}
}
