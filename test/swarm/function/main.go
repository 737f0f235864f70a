// Command function is what the services of the tests run: it answers each
// request with its first argument, after the time that ?slow= says. While there is a file /gate/closed it does
// not listen yet, and once it listens does not end, so that a test can hold
// instances back.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1]); err != nil && !errors.Is(err, http.ErrServerClosed) {
		_, _ = fmt.Fprintln(os.Stderr, err) // it cannot be told otherwise
		os.Exit(1)
	}
}

func run(answer string) error {
	if answer == "crash" {
		return errors.New("it crashes, as asked")
	}
	await()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s := &http.Server{Addr: ":9000", ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow, err := time.ParseDuration(r.FormValue("slow")); err == nil {
			time.Sleep(slow)
		}
		fmt.Fprint(w, answer)
	})}
	over := make(chan error, 1)
	go func() { over <- s.ListenAndServe() }()
	select {
	case err := <-over:
		return err
	case <-ctx.Done():
		await()
		return s.Shutdown(context.Background()) // swarm kills it when that takes long
	}
}

func await() {
	for {
		if _, err := os.Stat("/gate/closed"); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
