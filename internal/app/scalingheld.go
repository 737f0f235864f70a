package app

import (
	"time"

	"holdfast/autoscale"
	"holdfast/internal/control"
)

// obey lets what people ordered about scaling go before the configured mode.
func obey(p *autoscale.Policy, o control.Orders) {
	h := o.Hold
	if !h.Holds(time.Now()) {
		return
	}
	p.Mode = autoscale.Mode{Kind: autoscale.Paused, Until: h.Until}
	if h.Pinned {
		p.Mode = autoscale.Mode{Kind: autoscale.Pinned, Until: h.Until, At: h.Instances}
	}
}
