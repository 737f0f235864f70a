package process_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

func TestEveryFieldThatIsWrongIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := process.New(process.Spec{
		Function: "a/b", Instances: 5, Ports: process.Range{From: 9001, To: 9003},
		Env:          map[string]string{"A=B": "", "C": "\x00"},
		ReadyTimeout: -1, StopTimeout: -1,
		Backoff:   process.Backoff{Base: time.Minute, Max: time.Second, ResetAfter: -1},
		CrashLoop: process.CrashLoop{Failures: -1, Within: -1},
		Output:    process.Output{Lines: -1, FileLimit: -1},
	}, process.Config{})
	if err == nil {
		t.Fatal("the spec was accepted")
	}
	for _, field := range []string{
		"function", "command", "ports: 9001-9003 has fewer", `env: "A=B"`, "env.C", "ready_timeout", "stop_timeout",
		"backoff.max", "backoff.reset_after", "crash_loop.failures", "crash_loop.within", "output.lines", "output.file_limit",
	} {
		if !strings.Contains(err.Error(), "process spec: "+field) {
			t.Errorf("%s is not named in:\n%v", field, err)
		}
	}
}

func TestARangeOfPortsHasToBeOne(t *testing.T) {
	t.Parallel()
	for _, r := range []process.Range{{From: 9, To: 8}, {To: 80}, {From: 65000, To: 65536}, {From: -1, To: 10}} {
		spec := process.Spec{Function: "f", Command: []string{"true"}, Ports: r}
		if _, err := process.New(spec, process.Config{}); err == nil || !strings.Contains(err.Error(), "no range of ports") {
			t.Errorf("%v gives %v", r, err)
		}
	}
}

func ExampleNew() {
	ready := make(chan platform.Instance, 1)
	driver, err := process.New(process.Spec{
		Function: "public",
		Command:  []string{self()}, // the path of your server; it finds its port in PORT, or as {port} here
		Env:      map[string]string{childEnv: "serve"}, Instances: 1,
	}, process.Config{
		OnChange: func(i platform.Instance) {
			if i.State == platform.Running {
				ready <- i
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- driver.Run(ctx) }()

	fmt.Println((<-ready).ID, "takes requests")
	cancel()
	fmt.Println("stopped:", <-done)
	// Output:
	// public-1 takes requests
	// stopped: <nil>
}
