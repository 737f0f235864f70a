package retry_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"holdfast/retry"
)

func TestBackoffEdges(t *testing.T) {
	t.Parallel()
	const all = math.MaxUint64
	for _, row := range []struct {
		base, limit time.Duration
		n           int
		draw        uint64
		want        time.Duration
	}{
		{25, 250, 0, 0, 0},
		{25, 250, 0, all, 25},
		{25, 250, 1, all, 50},
		{25, 250, 3, all, 200},
		{25, 250, 4, all, 250},
		{25, 250, 62, all, 250},
		{25, 250, 63, all, 250},
		{25, 250, 64, all, 250},
		{25, 250, math.MaxInt, all, 250},
		{25, 250, -1, all, 25},
		{250, 25, 0, all, 25},
		{0, 250, 5, all, 0},
		{-1, 250, 5, all, 0},
		{25, 0, 5, all, 0},
		{25, -1, 5, all, 0},
		{1, math.MaxInt64, 62, all, 1 << 62},
		{1, math.MaxInt64, 63, all, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, 9, all, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, 0, 0, 0},
	} {
		if got := retry.Backoff(row.base, row.limit, row.n, row.draw); got != row.want {
			t.Errorf("Backoff(%d, %d, %d, %x) = %d, want %d", row.base, row.limit, row.n, row.draw, got, row.want)
		}
	}
}

// TestBackoffIsFullJitter checks the spread over ten classes: with 100,000 draws a class of a uniform distribution holds
// 10,000 with a standard deviation of 95, so 500 is beyond five of them.
func TestBackoffIsFullJitter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	const base, limit, draws = 25 * time.Millisecond, 250 * time.Millisecond, 100_000
	for n, ms := range []int{25, 50, 100, 200, 250, 250} {
		top := time.Duration(ms) * time.Millisecond
		var classes [10]int
		var total time.Duration
		for range draws {
			d := retry.Backoff(base, limit, n, r.Uint64())
			if d < 0 || d > top {
				t.Fatalf("try %d waits %s, beyond 0 to %s", n, d, top)
			}
			classes[min(int(10*d/top), 9)]++
			total += d
		}
		for i, got := range classes {
			if got < 9500 || got > 10500 {
				t.Errorf("try %d: class %d holds %d of %d", n, i, got, draws)
			}
		}
		if mean := total / draws; mean < top*49/100 || mean > top*51/100 {
			t.Errorf("try %d: mean %s, want half of %s", n, mean, top)
		}
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		"1":                              time.Second,
		" 7\t":                           7 * time.Second,
		"007":                            7 * time.Second,
		"300":                            300 * time.Second,
		"301":                            300 * time.Second,
		"99999999999999999999999999":     300 * time.Second,
		"-1":                             0,
		"+1":                             0,
		"1.5":                            0,
		"1s":                             0,
		"1 2":                            0,
		"1,2":                            0,
		"0x10":                           0,
		"soon":                           0,
		"Sun, 01 Mar 2026 12:00:30 GMT":  30 * time.Second,
		"Sun, 01 Mar 2026 12:30:00 GMT":  300 * time.Second,
		"Sun, 01 Mar 2026 11:59:59 GMT":  0,
		"Sun, 01 Mar 2026 12:00:30 CET":  0,
		"Sun, 01 Mar 2026 12:00:30":      0,
		"Sunday, 01-Mar-26 12:00:30 GMT": 30 * time.Second,
		"Sun Mar  1 12:00:30 2026":       30 * time.Second,
		"Sun, 32 Mar 2026 12:00:30 GMT":  0,
		"Sun, 01 Mar 9999 12:00:30 GMT":  300 * time.Second,
		strings.Repeat("9", 1<<16):       300 * time.Second,
	} {
		if got := retry.ParseRetryAfter(value, noon); got != want {
			t.Errorf("%.40q: %s, want %s", value, got, want)
		}
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "120", "-5", "99999999999999999999", " 3 ", "Sun, 01 Mar 2026 12:00:30 GMT",
		"Sunday, 01-Mar-26 12:00:30 GMT", "Sun Mar  1 12:00:30 2026", "Wed, 21 Oct 2015 07:28:00 GMT",
	} {
		f.Add(seed, int64(0))
	}
	f.Fuzz(func(t *testing.T, v string, offset int64) {
		now := noon.Add(time.Duration(offset))
		got := retry.ParseRetryAfter(v, now)
		if got < 0 || got > retry.MaxParsedRetryAfter {
			t.Fatalf("%q at %s: %s is out of bounds", v, now, got)
		}
		if padded := retry.ParseRetryAfter(" \t"+v+" ", now); padded != got {
			t.Fatalf("%q: %s, padded %s", v, got, padded)
		}
		if later := retry.ParseRetryAfter(v, now.Add(time.Second)); later > got && got < retry.MaxParsedRetryAfter {
			t.Fatalf("%q: %s now, %s a second later", v, got, later)
		}
		seconds := got.Truncate(time.Second)
		if again := retry.ParseRetryAfter(fmt.Sprintf("%d", seconds/time.Second), now); again != seconds {
			t.Fatalf("%s came back as %s", seconds, again)
		}
	})
}
