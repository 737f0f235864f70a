package stress

import (
	"context"
	"fmt"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/capacity"
)

// Scalability measures the throughput of base's requests at 1, 2, 4, ... up to
// most users who wait for each answer, each for length, and fits the
// scalability law to it.
func Scalability(ctx context.Context, base loadtest.Config, most int, length time.Duration) (capacity.USL, []capacity.At, error) {
	var points []capacity.At
	for n := 1; n <= most; n *= 2 {
		c := base
		c.Open, c.Rate, c.Stages, c.Concurrency, c.Duration, c.Warmup = false, 0, nil, n, length, length/4
		r, err := loadtest.Run(ctx, c)
		if err != nil {
			return capacity.USL{}, points, err
		}
		if ctx.Err() != nil {
			return capacity.USL{}, points, ctx.Err()
		}
		if r.Rate() <= 0 {
			return capacity.USL{}, points, fmt.Errorf("measure scalability: no good answer with %d users", n)
		}
		points = append(points, capacity.At{Concurrency: float64(n), Throughput: r.Rate()})
	}
	u, err := capacity.FitUSL(points, base.Seed)
	return u, points, err
}
