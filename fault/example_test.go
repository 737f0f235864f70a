package fault_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"holdfast/fault"
)

// A proxy in front of a server, a fault that is set while it runs, and what the log says of it.
func ExampleProxy() {
	server, _ := net.Listen("tcp", "127.0.0.1:0")
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello")
			_ = c.Close()
		}
	}()

	front, _ := net.Listen("tcp", "127.0.0.1:0")
	proxy, err := fault.New(fault.Config{Listener: front, Upstream: server.Addr().String(), Seed: 42})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- proxy.Run(ctx) }()

	ask := func() {
		c, _ := net.Dial("tcp", proxy.Addr().String())
		answer, _ := io.ReadAll(c)
		fmt.Printf("%q\n", answer)
		_ = c.Close()
	}
	ask()
	cut, _ := fault.Parse("down.limit=4B")
	_ = proxy.Set(cut...)
	ask()

	cancel()
	<-done
	events, _ := proxy.Events()
	for _, e := range events {
		if e.Conn == 2 {
			fmt.Println(e.Fault, "-", e.Note)
		}
	}
	// Output:
	// "hello"
	// "hell"
	// down.limit=4B - strikes the connection
	// down.limit=4B - connection closed
}

func ExampleParse() {
	faults, err := fault.Parse("latency=200ms~50ms, down.bandwidth=64KiB/s, reset=10%")
	fmt.Println(faults, err)
	_, err = fault.Parse("latency=fast")
	fmt.Println(err)
	// Output:
	// [latency=200ms~50ms down.bandwidth=64KiB/s reset@10%] <nil>
	// parse fault "latency=fast": "fast" is no time: write a time like 200ms, 200ms~50ms or 200ms~50ms:normal
}

func ExampleStep() {
	step, err := fault.ParseStep("at 10s for 5s: blackhole")
	fmt.Println(step.At, step.For, step.Faults, err)
	// Output: 10s 5s [blackhole] <nil>
}

func ExampleDelay_Draw() {
	d := fault.Delay{Mean: 200 * time.Millisecond, Jitter: 50 * time.Millisecond}
	first := d.Draw(fault.Dice(42, 1, "the first request"))
	again := d.Draw(fault.Dice(42, 1, "the first request"))
	fmt.Println(first == again, first >= 150*time.Millisecond, first <= 250*time.Millisecond)
	// Output: true true true
}
