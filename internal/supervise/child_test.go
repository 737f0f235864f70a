package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/supervise"
)

// partEnv makes this binary play a child.
const partEnv = "HF_TEST_PART"

func TestMain(m *testing.M) {
	if part := os.Getenv(partEnv); part != "" {
		os.Exit(play(part))
	}
	goleak.VerifyTestMain(m)
}

func play(part string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch part {
	case "mute": // never says hello
		<-ctx.Done()
		return 0
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
	case "quitter":
		fmt.Println("cannot find my work")
		return 7
	case "hangs up":
		syscall.Close(supervise.FD)
		<-ctx.Done()
		return 0
	}
	err := supervise.Serve(ctx, supervise.FD, map[string]supervise.Handler{
		"echo":   supervise.Handle(func(_ context.Context, in string) (string, error) { return in, nil }),
		"env":    supervise.Handle(func(_ context.Context, in string) (string, error) { return os.Getenv(in), nil }),
		"pid":    supervise.Handle(func(context.Context, struct{}) (int, error) { return os.Getpid(), nil }),
		"fail":   supervise.Handle(func(context.Context, struct{}) (int, error) { return 0, errors.New("no luck") }),
		"panic":  supervise.Handle(func(context.Context, struct{}) (int, error) { panic("lost my mind") }),
		"leak":   supervise.Handle(leak),
		"spin":   supervise.Handle(spin),
		"large":  supervise.Handle(func(_ context.Context, n int) (string, error) { return strings.Repeat("x", n), nil }),
		"freeze": supervise.Handle(func(context.Context, struct{}) (int, error) { return 0, syscall.Kill(os.Getpid(), syscall.SIGSTOP) }),
		"wait": supervise.Handle(func(ctx context.Context, _ struct{}) (string, error) {
			<-ctx.Done()
			fmt.Println("waited until", ctx.Err())
			return "", ctx.Err()
		}),
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if part == "deaf" {
		select {}
	}
	return 0
}

// leak holds on to ever more memory, in MiB up to the number given.
func leak(ctx context.Context, most int) (int, error) {
	var held [][]byte
	for len(held) < most && ctx.Err() == nil {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
		if len(held)%16 == 0 {
			<-time.After(time.Millisecond)
		}
	}
	return len(held), ctx.Err()
}

// spin keeps every core it may use busy and says how much time it got.
func spin(_ context.Context, d time.Duration) (time.Duration, error) {
	for range 4 {
		go func() {
			for n := 0; ; n++ { //nolint:revive // to spin is what it is for
			}
		}()
	}
	before := cpuTime()
	<-time.After(d)
	return cpuTime() - before, nil
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
