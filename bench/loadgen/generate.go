//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
)

// generateVerb as first argument makes this program Holdfast's generator; the
// second is a job in JSON.
const generateVerb = "generate"

// generate carries out a job and prints its outcome in JSON.
func generate(ctx context.Context, args []string, out io.Writer) error {
	var j job
	if len(args) != 1 {
		return errors.New("generate wants one job")
	}
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return err
	}
	runtime.GOMAXPROCS(j.Threads)
	// Ten thousand connections at once take a busy machine a while; the others wait for them without end.
	const patience = 30 * time.Second
	client, err := httpload.New(httpload.Config{Requests: []httpload.Request{{URL: j.URL}}, ConnectTimeout: patience})
	if err != nil {
		return err
	}
	c := loadtest.Config{Client: client, Concurrency: j.Users, Duration: j.length(), Rate: float64(j.Rate), Timeout: patience}
	if j.Rate > 0 {
		c.MaxInFlight = j.Users
	}
	r, err := loadtest.Run(ctx, c)
	if err != nil {
		return err
	}
	o := outcome{Good: r.Total.Counts[loadtest.OK], Bad: r.Total.Failures(), Elapsed: r.Elapsed}
	for _, text := range r.Errors {
		o.Why = text
	}
	return json.NewEncoder(out).Encode(o)
}
