// Command embed is a Go program that answers itself and has a part of its work
// done by two servers, with Holdfast between: requests are routed and balanced,
// failures tried again, a breaker spares servers that are ill, and a fallback
// answers when none is left. There is no second process.
//
//	go run . -listen 127.0.0.1:8090
//	curl -i localhost:8090/greet/you         # anna or bert answers
//	curl -X POST localhost:8090/ill/anna     # anna answers 500 from now on: nobody notices
//	curl -X POST localhost:8090/ill/bert     # nobody is left: after a few errors the fallback answers
//	curl -X POST localhost:8090/well/bert
//	curl localhost:8090/why/ID               # ID is the X-Request-Id of an answer
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/health"
	"holdfast/middleware"
	"holdfast/retry"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, func(url string) { fmt.Println("listening on", url) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// run serves until ctx ends and returns when all it started has ended; ready
// is told where.
func run(ctx context.Context, listen string, ready func(url string)) error {
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()

	ended := make(chan error, 3)
	team := map[string]*greeter{"anna": {name: "anna"}, "bert": {name: "bert"}}
	var instances []balancer.Spec
	for name, g := range team {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		running.Go(func() { ended <- serve(ctx, ln, g) })
		instances = append(instances, balancer.Spec{ID: name, Endpoint: "http://" + ln.Addr().String()})
	}
	handler, err := middleware.New(middleware.Config{Functions: []middleware.Function{greeting(instances)}})
	if err != nil {
		return err
	}
	running.Go(func() { _ = handler.Run(ctx) }) // its error is always nil

	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	ready("http://" + ln.Addr().String())
	running.Go(func() { ended <- serve(ctx, ln, handler.Wrap(program(team, handler))) })
	return <-ended // the first to end; the others follow
}

// greeting is what Holdfast needs to know of the function the servers offer.
func greeting(instances []balancer.Spec) middleware.Function {
	return middleware.Function{
		Name:      "greeting",
		Routes:    []exchange.Route{{Path: "/greet/", Methods: []string{http.MethodGet}}},
		Instances: instances,
		Balancer:  balancer.Config{Strategy: balancer.RoundRobin},
		Breaker:   breaker.Config{FailureThreshold: 5, RecoveryTimeout: 2 * time.Second},
		Policy: exchange.Policy{
			Retry:           retry.DefaultPolicy(),
			WaitForInstance: time.Second,
			Fallback:        &exchange.Fallback{Status: http.StatusServiceUnavailable, Body: "everybody is out, back soon\n"},
		},
		HealthPath: "/health",
		Health:     health.Policy{Interval: time.Second},
	}
}

// program is what the program answers itself.
func program(team map[string]*greeter, h *middleware.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "try /greet/you")
	})
	for state, ill := range map[string]bool{"ill": true, "well": false} {
		mux.HandleFunc("POST /"+state+"/{name}", func(w http.ResponseWriter, r *http.Request) {
			g := team[r.PathValue("name")]
			if g == nil {
				http.NotFound(w, r)
				return
			}
			g.ill.Store(ill)
			fmt.Fprintln(w, g.name, "is", state)
		})
	}
	mux.HandleFunc("GET /why/{id}", func(w http.ResponseWriter, r *http.Request) {
		record, ok := h.Records().Find(r.PathValue("id"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintln(w, strings.Join(record.Explain(), "\n"))
	})
	return mux
}

// serve serves until ctx ends; open requests have a second to finish.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	var draining sync.WaitGroup
	defer draining.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	draining.Go(func() {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if srv.Shutdown(last) != nil {
			_ = srv.Close() // nothing more can be done
		}
	})
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
