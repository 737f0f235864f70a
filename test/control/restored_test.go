package control_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"holdfast/test/holdfast"
)

// What was set aside at the start comes back with a file that it fits, also when
// orders come all the time while that is read.
func TestAnOverrideComesBackAlsoAmongOrders(t *testing.T) {
	t.Parallel()
	body := "functions:\n" + function(t, "public", 1, "    scaling: {max_instances: %d}\n")
	conf := file(t, fmt.Sprintf(body, 9))
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	const key = "functions.public.scaling.min_instances"
	if status, v := login(t, p).ask("PUT", "/api/v1/config/values", fmt.Sprintf(`{"path":%q,"value":7}`, key)); status != 200 {
		t.Fatalf("%d %v", status, v)
	}
	for round := range 4 {
		if err := p.Cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait(ready)
		write(t, conf, fmt.Sprintf(body, 3)) // min_instances 7 is too many now
		p = p.Again(t, "-c", conf)
		p.Ready(t, ready)
		value := func() string {
			_, v := login(t, p).ask("GET", "/api/v1/config/values?path="+key, "")
			return fmt.Sprint(v)
		}
		if got := value(); !strings.Contains(got, "value:1") {
			t.Fatalf("round %d: at the start: %s", round, got)
		}
		stop := orders(t, p)
		write(t, conf, fmt.Sprintf(body, 8))
		holdfast.Poll(t, ready, "the override is back", func() bool { return strings.Contains(value(), "value:7") })
		stop()
	}
}

// orders gives orders until they are stopped, one at a time from each of two.
func orders(t *testing.T, p *holdfast.Process) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for w := range 2 {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				out, err := holdfast.Command(context.WithoutCancel(ctx), t, "--data-dir", p.Data, "config", "set", "functions.public.retry.attempts", fmt.Sprint((n+w)%5)).CombinedOutput()
				if err != nil {
					t.Errorf("order: %v %s", err, out)
					return
				}
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}
