package swarm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"holdfast/internal/platform"
)

// sample is what a container had used at one time.
type sample struct {
	at  time.Time
	cpu time.Duration
}

// Metrics implements platform.Driver for the instances on the engine's own node;
// nobody asks the engines of the others. The CPU is in percent of the service's
// limit, or of one core where it has none, since the measurement before (the
// first has none); memory in percent of the limit, or of the node's.
func (d *Driver) Metrics(ctx context.Context) (map[string]platform.Usage, error) {
	s, err := d.engine.inspect(ctx)
	if err != nil {
		return nil, err
	}
	cores := 1.0
	if r := s.Spec.TaskTemplate.Resources; r != nil && r.Limits != nil && r.Limits.NanoCPUs > 0 {
		cores = float64(r.Limits.NanoCPUs) / 1e9
	}
	containers, err := d.engine.containers(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	return d.measured(d.engine.measure(ctx, containers), cores), nil
}

// containers are those of the service's tasks that run on the engine's node.
func (e *engine) containers(ctx context.Context, id string) ([]container.Summary, error) {
	ctx, stop := context.WithTimeout(ctx, askLimit)
	defer stop()
	r, err := e.client.ContainerList(ctx, client.ContainerListOptions{Filters: make(client.Filters).Add("label", labelID+"="+id)})
	if err != nil {
		return nil, e.explain(err)
	}
	return r.Items, nil
}

// measured is a container's statistics, with the instance it is.
type measured struct {
	instance string
	stats    container.StatsResponse
}

// measure asks for all containers at once, or nearly. One that has just ended
// has no statistics and is left out.
func (e *engine) measure(ctx context.Context, containers []container.Summary) map[string]measured {
	ctx, stop := context.WithTimeout(ctx, askLimit)
	defer stop()
	out := map[string]measured{}
	var mu sync.Mutex
	var asks sync.WaitGroup
	places := make(chan struct{}, 8)
	for n := range containers {
		c := &containers[n]
		instance := instanceOf(c.Labels)
		places <- struct{}{}
		asks.Go(func() {
			defer func() { <-places }()
			if stats, err := e.stats(ctx, c.ID); err == nil && instance != "" {
				mu.Lock()
				defer mu.Unlock()
				out[c.ID] = measured{instance, stats}
			}
		})
	}
	asks.Wait()
	return out
}

func (e *engine) stats(ctx context.Context, id string) (container.StatsResponse, error) {
	var stats container.StatsResponse
	r, err := e.client.ContainerStats(ctx, id, client.ContainerStatsOptions{})
	if err != nil {
		return stats, e.explain(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(io.LimitReader(r.Body, answerMax)).Decode(&stats); err != nil {
		return stats, fmt.Errorf("read the statistics of %s: %w", id, err)
	}
	return stats, nil
}

// instanceOf finds the instance in a container's labels; its task is called
// SERVICE.SLOT.TASK.
func instanceOf(labels map[string]string) string {
	task := labels[labelTask]
	rest, ok := strings.CutSuffix(labels[labelName], "."+task)
	if !ok || task == "" {
		return ""
	}
	slot, err := strconv.Atoi(rest[strings.LastIndexByte(rest, '.')+1:])
	if err != nil {
		return ""
	}
	return instanceID(slot, task)
}

// measured compares with the samples before, and keeps these.
func (d *Driver) measured(all map[string]measured, cores float64) map[string]platform.Usage {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[string]platform.Usage, len(all))
	now := make(map[string]sample, len(all))
	for id, m := range all {
		next := sample{at: m.stats.Read, cpu: time.Duration(m.stats.CPUStats.CPUUsage.TotalUsage)} //nolint:gosec // nanoseconds of 292 years
		now[id] = next
		out[m.instance] = platform.Usage{
			At: m.stats.Read, CPUPercent: next.percent(d.samples[id], cores), MemoryPercent: memory(&m.stats.MemoryStats),
		}
	}
	d.samples = now
	return out
}

func (s sample) percent(before sample, cores float64) float64 {
	passed := s.at.Sub(before.at)
	if before.at.IsZero() || passed <= 0 || s.cpu < before.cpu {
		return -1
	}
	return 100 * float64(s.cpu-before.cpu) / float64(passed) / cores
}

// memory leaves out cached files that nobody uses, which the kernel gives back
// when asked: inactive_file in version 2 of control groups, total_inactive_file
// in version 1.
func memory(m *container.MemoryStats) float64 {
	if m.Limit == 0 {
		return -1
	}
	cached, ok := m.Stats["total_inactive_file"]
	if !ok {
		cached = m.Stats["inactive_file"]
	}
	return 100 * float64(m.Usage-min(cached, m.Usage)) / float64(m.Limit)
}
