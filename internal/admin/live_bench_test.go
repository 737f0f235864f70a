package admin

import (
	"fmt"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/telemetry"
	"holdfast/retry"
)

// BenchmarkLook is what a second costs with 200 functions of 5 instances, all of
// them busy, and one of them seen from near.
func BenchmarkLook(b *testing.B) {
	logs := telemetry.NewLogs(discard{}, false, 0, nil)
	g := gateway.New(gateway.Config{Logger: logs.For("gateway"), Access: logs.Lines("access", "exchange", nil), Events: event.NewBus(10), Secret: make([]byte, 32)})
	var specs []gateway.Spec
	for f := range 200 {
		name := fmt.Sprintf("f%03d", f)
		specs = append(specs, gateway.Spec{Config: exchange.FunctionConfig{Name: name, Policy: exchange.Policy{Retry: retry.DefaultPolicy()}}, Routes: []exchange.Route{{Path: "/" + name}}})
	}
	now := time.Now()
	if err := g.Apply(specs, now); err != nil {
		b.Fatal(err)
	}
	for _, fn := range g.Functions() {
		var list []balancer.Spec
		for i := range 5 {
			list = append(list, balancer.Spec{ID: fmt.Sprint("i", i), Endpoint: fmt.Sprintf("http://127.0.0.%d:1", i+1)})
		}
		instances, err := g.SetInstances(fn.Name(), list, now)
		if err != nil {
			b.Fatal(err)
		}
		for _, i := range instances {
			fn.Balancer().SetHealth(i, balancer.HealthUp, "", now)
		}
	}
	s := New(Config{Gateway: g, Events: event.NewBus(10), Logs: logs})
	v, near := s.live.join(""), s.live.join("f000")
	defer v.leave()
	defer near.leave()
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		for n, fn := range g.Functions() {
			served(fn, uint64(1+n%7), 200, time.Duration(1+n)*time.Millisecond)
		}
		now = now.Add(time.Second)
		s.live.publish(s.look(now, []string{"f000"}), now)
		for _, frame := range v.next() {
			size = len(frame)
		}
		near.next()
	}
	b.ReportMetric(float64(size), "bytes/message")
}
