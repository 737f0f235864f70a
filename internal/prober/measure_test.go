//go:build unix

package prober_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/health"
	"holdfast/internal/prober"
)

// BenchmarkThousandTargets checks 1,000 targets every 5 s over HTTP for half a
// minute, after fifty seconds of warming up. The server is another process, so that the CPU share is the
// prober's alone (of one core, Go's runtime and the kernel's part included).
// heap-growth is the live heap at the end against the one before the
// half minute; rss is the whole test process.
func BenchmarkThousandTargets(b *testing.B) {
	addr := startServer(b)
	for b.Loop() {
		measure(b, addr, 1000, 5*time.Second, 30*time.Second)
	}
}

func startServer(b *testing.B) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PROBER_TEST_SERVER=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

func measure(b *testing.B, addr string, targets int, every, long time.Duration) {
	b.Helper()
	var checks, failures atomic.Int64
	p := prober.New(prober.Config{})
	empty := liveHeap()
	for i := range targets {
		h, err := health.NewHTTP(health.HTTPConfig{URL: fmt.Sprintf("http://%s/api/%d/health", addr, i)})
		if err != nil {
			b.Fatal(err)
		}
		p.Set(fmt.Sprint(i), prober.Target{Check: h, Policy: health.Policy{Interval: every, SuspectInterval: every}, Report: func(r prober.Report) {
			checks.Add(1)
			if !r.Result.OK {
				failures.Add(1)
			}
		}})
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	<-time.After(10 * every) // the histories are full then
	warm, before, cpu, start := liveHeap(), checks.Load(), cpuTime(), time.Now()
	<-time.After(long)
	took, used := time.Since(start), cpuTime()-cpu
	made := checks.Load() - before
	b.ReportMetric(100*used.Seconds()/took.Seconds(), "cpu-%")
	b.ReportMetric(float64(made)/took.Seconds(), "checks/s")
	b.ReportMetric(float64(used.Microseconds())/float64(made), "cpu-us/check")
	b.ReportMetric(float64(failures.Load()), "failures")
	b.ReportMetric(float64(liveHeap()-warm)/1024, "heap-growth-KiB")
	b.ReportMetric(float64(warm-empty)/1024/float64(targets), "heap-KiB/target")
	b.ReportMetric(rssMiB(b), "rss-MiB")
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// cpuTime is the user and system time of this process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rssMiB reads Linux's /proc; it is 0 elsewhere.
func rssMiB(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident float64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		b.Fatal(err)
	}
	return resident * float64(os.Getpagesize()) / (1 << 20)
}
