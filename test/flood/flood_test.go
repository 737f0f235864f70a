//go:build linux

// Package flood_test lets hostile clients loose on the real binary: they
// trickle, they do not read, they send without end, they come in thousands. A
// client that behaves must not notice, memory and descriptors must stay under a
// bound, and who is hostile must be gone in time.
package flood_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

const (
	headerTimeout = 3 * time.Second
	idleTimeout   = 6 * time.Second
	rateGrace     = 5 * time.Second // before limits.min_rate counts
	leaves        = 5 * time.Second // until idle connections to the instance are closed, too
	answersWithin = 2 * time.Second // for the client that behaves
	spare         = 40              // descriptors besides those of hostile clients
	perClient     = 80              // KiB for each more than in the short form: net/http with both of its connections
)

// flood is one kind of attack.
type flood struct {
	name    string
	clients int // hostile ones at a time
	long    int // as many in the long form
	// attack is what one client does with a connection. It ends with ctx; when it
	// returns, the connection is closed.
	attack func(ctx context.Context, c *hostile)
	again  bool          // who was thrown out comes again, for lasts
	gone   time.Duration // after the last of them came, the longest that one may stay; 0: not promised
	rss    int64         // MiB that Holdfast may have
}

func floods() []flood {
	return []flood{
		{name: "slowloris", clients: 3000, long: 10_000, attack: trickleHead, gone: headerTimeout, rss: 96},
		{name: "slow read of 1 MB", clients: 300, long: 1000, attack: reader("/1"), gone: idleTimeout, rss: 96},
		{name: "slow read of 64 MB", clients: 300, long: 1000, attack: reader("/64"), gone: 2 * rateGrace, rss: 96},
		{name: "endless header lines", clients: 50, long: 200, attack: endlessHead, again: true, gone: headerTimeout, rss: 96},
		{name: "a line of 1 MB", clients: 50, long: 200, attack: sends("GET /" + strings.Repeat("a", 1<<20)), again: true, gone: headerTimeout, rss: 96},
		{name: "many fields", clients: 50, long: 200, attack: sends(get + strings.Repeat("A: b\r\n", 10_000)), again: true, gone: headerTimeout, rss: 96},
		{name: "silent connections", clients: 10_000, long: 20_000, attack: silent, gone: headerTimeout, rss: 96},
		{name: "pipelining", clients: 50, long: 200, attack: pipeline, again: true, gone: 4 * rateGrace, rss: 96}, // what came is answered until nobody takes the answers
		{name: "chunk extensions", clients: 50, long: 200, attack: extensions, again: true, gone: rateGrace, rss: 96},
		{name: "slow chunked upload", clients: 300, long: 2000, attack: trickleBody, gone: 2 * rateGrace, rss: 96},
	}
}

func TestHostileClientsHurtNobodyElse(t *testing.T) {
	need.Plain(t)
	room := raiseLimit(t)
	instance := startInstance(t)
	engines := []string{"http1"}
	if need.Soak() {
		engines = append(engines, "std")
	}
	var table strings.Builder
	for _, engine := range engines {
		for _, f := range floods() {
			if need.Soak() {
				f.rss += int64(f.long-f.clients) * perClient >> 10
				f.clients = f.long
			}
			f.clients = min(f.clients, room)
			t.Run(engine+"/"+f.name, func(t *testing.T) { f.run(t, engine, instance, &table) })
		}
	}
	t.Logf("came: connections; RSS in MiB; CPU of Holdfast in s; slowest: of the good client's answers; without: of those asked without Holdfast; gone: after the last came\n%s\n%s", header, &table)
}

const header = "engine flood                  came  RSS  files   CPU  good failed slowest without  gone"

// run lets the flood loose on a Holdfast of its own. What becomes of it without
// the loops is only shown.
func (f flood) run(t *testing.T, engine, instance string, table *strings.Builder) {
	p := holdfast.Up(t, "-c", writeConfig(t, engine, instance, idleTimeout))
	p.Ready(t, 20*time.Second)
	if f.clients > 1000 {
		settled(t, p, restsAt) // many connections are measured, not the start
	}
	m := watch(t, p)
	good, control := startJudge(p.Gateway), startJudge(instance)
	a := f.send(t.Context(), p.Gateway)
	came := time.Now()
	for time.Since(came) < f.patience() && files(p.PID()) > m.before+f.clients/50+spare {
		time.Sleep(50 * time.Millisecond)
	}
	gone := time.Since(came)
	a.end()
	time.Sleep(time.Second) // afterwards it is as good as before
	j, d, u := good.end(), control.end(), m.end()
	line := fmt.Sprintf("%-6s %-20s %6d %4d %6d %5.1f %5d %6d %7.2f %7.2f %5s\n", engine, f.name, a.came, u.rss>>20, u.files, u.cpu.Seconds(),
		j.good, j.failed, j.slowest.Seconds(), d.slowest.Seconds(), f.stayed(gone))
	table.WriteString(line)
	t.Logf("\n%s\n%s", header, line)
	if engine == "std" {
		return
	}
	f.judge(t, a, j, u, gone, 2*d.slowest)
}

// judge holds what was measured to what is promised. On a busy machine all may
// be late, by more than a request was that Holdfast had no part in.
func (f flood) judge(t *testing.T, a *army, j *judge, u usage, gone, late time.Duration) {
	t.Helper()
	if j.failed > 0 || j.slowest > answersWithin+late || j.good < 100 {
		t.Errorf("the good client: %d answers, %d failed (%v), the slowest took %v, allowed are %v", j.good, j.failed, j.err, j.slowest, answersWithin+late)
	}
	if u.rss > f.rss<<20 {
		t.Errorf("resident memory rose to %d MiB, allowed are %d", u.rss>>20, f.rss)
	}
	if limit := 3*f.clients + 300; u.files > limit { // two while a connection is handed over, and one to its instance
		t.Errorf("%d descriptors, allowed are %d", u.files, limit)
	}
	if a.came < f.clients || a.err != nil {
		t.Errorf("%d hostile connections of %d clients were made: %v", a.came, f.clients, a.err)
	}
	if f.gone > 0 && gone > f.gone+leaves+late {
		t.Errorf("the last hostile connection was held for %v, allowed are %v", gone, f.gone+leaves+late)
	}
}

// stayed is gone in seconds, or "-" where they were not waited for to the end.
func (f flood) stayed(gone time.Duration) string {
	if gone >= f.patience() {
		return "-"
	}
	return fmt.Sprintf("%.1f", gone.Seconds())
}

// patience is how long run waits for the last of them to be gone.
func (f flood) patience() time.Duration {
	if f.gone == 0 {
		return leaves
	}
	return f.gone + 30*time.Second
}
