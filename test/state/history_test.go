package state_test

import (
	"net/http"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

func TestTheMinutesOfAFunctionCanBeReadBack(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "--", holdfast.Binary(t), "demo-function", "--name", "web", "--port", "{port}")
	p.Ready(t, 20*time.Second)
	if end := time.Now().Truncate(time.Minute).Add(time.Minute); time.Until(end) < 10*time.Second {
		time.Sleep(time.Until(end.Add(200 * time.Millisecond))) // all requests must be of one minute
	}
	before := time.Now()
	for range 30 {
		if got := status(t, p.Gateway+"/api/web/hello"); got != http.StatusOK {
			t.Fatalf("answered %d", got)
		}
	}
	var past struct {
		Points []struct {
			At   time.Time `json:"at"`
			Rate float64   `json:"requests_per_second"`
			P99  float64   `json:"p99_ms"`
			CPU  *float64  `json:"cpu_percent"`
		} `json:"points"`
	}
	holdfast.Poll(t, 2*time.Minute, "in the history", func() bool {
		if err := p.API("/api/v1/functions/default/history", &past); err != nil {
			t.Fatal(err)
		}
		n := len(past.Points)
		return n > 0 && past.Points[n-1].At.Equal(before.Truncate(time.Minute))
	})
	if point := past.Points[len(past.Points)-1]; point.Rate != 0.5 || point.P99 <= 0 || point.CPU != nil {
		t.Errorf("30 requests in a minute show as %+v", point)
	}
}
