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
// scalability law to it. last is the run of the most users so far.
func Scalability(ctx context.Context, base loadtest.Config, most int, length time.Duration) (
	law capacity.USL, points []capacity.At, last *loadtest.Result, err error,
) {
	for n := 1; n <= most; n *= 2 {
		c := base
		c.Open, c.Rate, c.Stages, c.Concurrency, c.Duration, c.Warmup = false, 0, nil, n, length, length/4
		r, err := loadtest.Run(ctx, c)
		if err != nil {
			return capacity.USL{}, points, last, err
		}
		if ctx.Err() != nil {
			return capacity.USL{}, points, last, ctx.Err()
		}
		if r.Rate() <= 0 {
			return capacity.USL{}, points, last, fmt.Errorf("measure scalability: no good answer with %d users", n)
		}
		last = r
		points = append(points, capacity.At{Concurrency: float64(n), Throughput: r.Rate()})
	}
	law, err = capacity.FitUSL(points, base.Seed)
	return law, points, last, err
}
