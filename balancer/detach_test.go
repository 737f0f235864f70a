package balancer_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/balancer"
)

func TestADetachedPickStillReplays(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 200} {
		for _, strategy := range balancer.Strategies() {
			b, err := balancer.New(balancer.Config{Strategy: strategy})
			if err != nil {
				t.Fatal(err)
			}
			var list []*balancer.Instance
			for i := range n {
				list = append(list, balancer.NewInstance(balancer.Spec{ID: fmt.Sprint(i), Endpoint: "http://127.0.0.1:1"}))
			}
			now := time.Now()
			b.Replace(list, now)
			for _, i := range list {
				b.SetHealth(i, balancer.HealthUp, "test", now)
			}
			for draw := range uint64(50) {
				p := balancer.Pick{Key: draw * 977, Draw: draw * 0x9e3779b97f4a7c15}
				if !b.Pick(&p, now) {
					t.Fatalf("%s: nobody picked", strategy)
				}
				p.Detach()
				if got := p.Replay(); got != p.Instance {
					t.Fatalf("%s of %d: picked %s, replayed %v", strategy, n, p.Instance.ID(), got)
				}
			}
		}
	}
}
