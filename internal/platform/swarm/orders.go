package swarm

import (
	"fmt"
	"slices"
	"time"
)

// orders tells numbers that were ordered here from those of somebody else.
type orders struct {
	service string // id
	number  int    // of instances when last looked
	known   bool
	mine    []order
	owner   string
	until   time.Time // owner is told so long
}

// order is a number that was asked for, whether or not it got through.
type order struct {
	number int
	at     time.Time
}

const (
	mineFor  = time.Minute      // by then an order got through or never will
	ownerFor = 10 * time.Minute // after the last foreign change
)

// noticed looks at the number of instances and names whoever else sets it.
func (d *Driver) noticed(s *service, now time.Time) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.orders.see(s.ID, replicas(&s.Service), now)
}

func (o *orders) see(service string, n int, now time.Time) string {
	for len(o.mine) > 0 && now.Sub(o.mine[0].at) > mineFor {
		o.mine = o.mine[1:]
	}
	if service != o.service {
		*o = orders{service: service, mine: o.mine}
	}
	if o.known && n != o.number && !o.took(n) {
		o.owner = fmt.Sprintf("somebody else, who at %s made %d of %d instances", now.UTC().Format(time.TimeOnly), n, o.number)
		o.until = now.Add(ownerFor)
	}
	o.number, o.known = n, true
	if now.After(o.until) {
		o.owner = ""
	}
	return o.owner
}

// took reports whether the number was ordered here. What was ordered before it
// got through or was overtaken.
func (o *orders) took(n int) bool {
	for i, ordered := range slices.Backward(o.mine) {
		if ordered.number == n {
			o.mine = o.mine[i+1:]
			return true
		}
	}
	return false
}

func (d *Driver) ordering(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.orders.mine = append(d.orders.mine, order{n, time.Now()})
}

// refusedOrder takes back that a number was ordered: it surely is not in force.
func (d *Driver) refusedOrder() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.orders.mine); n > 0 {
		d.orders.mine = d.orders.mine[:n-1]
	}
}
