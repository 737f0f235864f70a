package process

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"holdfast/internal/platform"
)

// SetSpares makes the number of spares n. More are being started when it returns;
// those that are too many, the newest, are being stopped.
func (d *Driver) SetSpares(ctx context.Context, n int) error {
	if n < 0 || n > maxSpares {
		return fmt.Errorf("%d spares are not in 0..%d", n, maxSpares)
	}
	release, err := d.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	d.spares = n
	_, spares, _ := d.divided()
	for _, s := range spares[min(n, len(spares)):] {
		d.part(ctx, s, "fewer spares are wanted")
	}
	return d.scaleUp(ctx, 0, n-len(spares))
}

// promote makes instances of up to n spares, the readiest first, and says of how
// many.
func (d *Driver) promote(spares []*slot, n int) (done int) {
	for want := range noUse {
		for _, s := range spares {
			if done < n && d.rank(s) <= want && s.promote() {
				done++
			}
		}
	}
	return done
}

// noUse is the rank of spares that are not promoted: what fails its start is no
// better than what begins anew.
const noUse = 3

// rank is lower for spares that can take traffic sooner.
func (d *Driver) rank(s *slot) int {
	switch i := s.instance(); {
	case i.State == platform.Running && (d.cfg.Fit == nil || d.cfg.Fit(i.ID)):
		return 0
	case i.State == platform.Running:
		return 1
	case i.State == platform.Starting:
		return 2
	}
	return noUse
}

// promote makes an instance of a spare; its goroutine tells of it. False: it is
// one.
func (s *slot) promote() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.spare {
		return false
	}
	s.spare, s.wanted = false, time.Now()
	close(s.promoted)
	return true
}

func (s *slot) isSpare() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spare
}

// noteBootsLocked remembers how long the slot took to be ready, and a spare to
// become an instance.
func (s *slot) noteBootsLocked() {
	if s.view.State != platform.Running {
		return
	}
	s.d.starts.end(&s.begun)
	s.d.promotions.end(&s.wanted)
}

// Boot is how long instances nearly always took lately (95 %) until they were
// ready: those that were started, and spares that were there. 0: there was none.
func (d *Driver) Boot() (started, promoted time.Duration) {
	return d.starts.p95(), d.promotions.p95()
}

// boots are how long it took the last times.
type boots struct {
	mu   sync.Mutex
	ring [20]time.Duration
	n    int // that were ever put in
}

// end notes what began at a time; zero: nothing did.
func (b *boots) end(begun *time.Time) {
	if begun.IsZero() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ring[b.n%len(b.ring)] = time.Since(*begun)
	b.n++
	*begun = time.Time{}
}

func (b *boots) p95() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.Clone(b.ring[:min(b.n, len(b.ring))])
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[int(math.Ceil(0.95*float64(len(list))))-1]
}
