package kubernetes

import (
	"testing"
	"time"
)

// Somebody who changed the number once does not keep Holdfast from scaling for
// good.
func TestWhoChangedTheNumberIsNamedForAWhile(t *testing.T) {
	t.Parallel()
	at := time.Now()
	d := &Driver{order: &order{replicas: 3, at: at}}
	kubectl := scaled{writer: "kubectl"}
	see := func(after time.Duration, replicas int) string {
		return d.rival(scale{replicas: replicas, asked: at.Add(after)}, kubectl)
	}
	const text = "kubectl (set replicas to 1, Holdfast had ordered 3)"
	for _, c := range []struct {
		after    time.Duration
		replicas int
		want     string
	}{
		{-time.Second, 1, ""}, // read before the order was taken
		{time.Second, 3, ""},
		{time.Minute, 1, text},
		{5 * time.Minute, 3, ""}, // the number is the ordered one again
		{6 * time.Minute, 1, text},
		{6*time.Minute + rivalFor, 1, text},
		{7*time.Minute + rivalFor, 1, ""},
		{8*time.Minute + rivalFor, 2, ""}, // until there is another order
	} {
		if got := see(c.after, c.replicas); got != c.want {
			t.Errorf("after %s with %d replicas it is told %q, want %q", c.after, c.replicas, got, c.want)
		}
	}
	d.order = &order{replicas: 3, at: at.Add(time.Hour)}
	if see(time.Hour+time.Second, 1) != text {
		t.Error("who resets the next order is not named")
	}
}
