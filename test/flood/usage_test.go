//go:build linux

package flood_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

// usage is the most that Holdfast had of each.
type usage struct {
	rss   int64
	files int
	cpu   time.Duration
}

// meter looks at Holdfast four times a second.
type meter struct {
	usage

	tb     testing.TB
	pid    int
	before int // descriptors
	stop   context.CancelFunc
	all    sync.WaitGroup
}

func watch(t *testing.T, p *holdfast.Process) *meter {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	m := &meter{tb: t, pid: p.PID(), before: files(p.PID()), stop: stop}
	m.cpu = -holdfast.CPU(t, m.pid)
	m.all.Go(func() {
		for ctx.Err() == nil {
			m.look()
			time.Sleep(250 * time.Millisecond)
		}
	})
	return m
}

func (m *meter) end() usage {
	m.stop()
	m.all.Wait()
	m.cpu += holdfast.CPU(m.tb, m.pid)
	return m.usage
}

func (m *meter) look() {
	m.rss, m.files = max(m.rss, holdfast.RSS(m.tb, m.pid)), max(m.files, files(m.pid))
}

// files counts the descriptors of a process.
func files(pid int) int {
	dir, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return len(names)
}
