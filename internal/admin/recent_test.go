package admin

import (
	"testing"
	"time"

	"holdfast/exchange"
)

func TestRecentForgetsWhatIsOlderThanTwoSteps(t *testing.T) {
	t.Parallel()
	fn, err := exchange.NewFunction(exchange.FunctionConfig{Name: "public"})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Unix(1_000_000, 0)
	r := recent{start: start}
	answered := func(class, n int, latency time.Duration) {
		for range n {
			fn.Stats().Exchanges[class].Add(1)
			fn.Stats().Latency.Add(latency)
		}
	}
	answered(2, 90, 10*time.Millisecond)
	answered(5, 10, time.Second)
	list := []*exchange.Function{fn}
	if v := r.of(fn, start.Add(20*time.Second)); v.RequestsPerSecond != 5 || v.FailedPercent != 10 || v.WindowSeconds != 20 || v.P50MS > 12 || v.P99MS < 1000 {
		t.Errorf("since the start: %+v", v)
	}
	r.rotate(list, start.Add(30*time.Second))
	if v := r.of(fn, start.Add(50*time.Second)); v.RequestsPerSecond != 2 {
		t.Errorf("after one step: %+v", v)
	}
	r.rotate(list, start.Add(60*time.Second))
	answered(2, 30, 20*time.Millisecond)
	if v := r.of(fn, start.Add(75*time.Second)); v.WindowSeconds != 45 || v.FailedPercent != 0 || v.RequestsPerSecond < 0.66 || v.RequestsPerSecond > 0.67 {
		t.Errorf("after two steps: %+v", v)
	}
	r.rotate(nil, start.Add(90*time.Second))
	r.rotate(nil, start.Add(120*time.Second))
	if len(r.before)+len(r.current) != 0 {
		t.Error("a function that is gone is remembered")
	}
}

func TestTimesReadAsPeopleSayThem(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 1500 * time.Microsecond: "2ms", 3456 * time.Millisecond: "3.5s", 83*time.Second + time.Millisecond: "1m23s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.Local)
	if got := clock(noon.Add(-time.Hour), noon); got != "11:00:00" {
		t.Errorf("today: %s", got)
	}
	if got := clock(noon.AddDate(0, 0, -1), noon); got != "2026-05-03 12:00:00" {
		t.Errorf("yesterday: %s", got)
	}
	if got := nextTry(noon.Add(-time.Second), noon); got != "the next request may try" {
		t.Errorf("due: %s", got)
	}
}

func TestTheNearestNameIsMeant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		names []string
		want  string
	}{
		{"pubilc", []string{"private", "public"}, "did you mean public?"},
		{"public-10", []string{"public-1", "public-2"}, "did you mean public-1?"},
		{"x", nil, "there are no functions"},
		{"completely", []string{"a", "b"}, "functions: a, b"},
		{"completely", []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}, "functions: a, b, c, d, e, f, g, h ..."},
	} {
		if got := meant(c.name, "functions", c.names); got != c.want {
			t.Errorf("%s among %v: %q, want %q", c.name, c.names, got, c.want)
		}
	}
}
