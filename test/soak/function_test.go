package soak_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

const (
	headerID  = "X-Soak-Id"  // of the request; the answer repeats it
	headerPID = "X-Soak-Pid" // of the instance that answers
	eventStep = 200 * time.Millisecond

	messageLimit = 1 << 20 // of a WebSocket, with the id
)

// function is one instance: this test binary, started by Holdfast.
type function struct {
	pid    string
	ledger *os.File
}

// runFunction serves until SIGTERM and returns the exit code.
func runFunction(args []string) int {
	set := flag.NewFlagSet("soak-function", flag.ContinueOnError)
	port := set.Int("port", 0, "")
	ledger := set.String("ledger", "", "")
	if set.Parse(args) != nil {
		return 2
	}
	if err := serveFunction(*port, *ledger); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveFunction(port int, ledger string) error {
	file, err := os.OpenFile(ledger, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	f := &function{pid: strconv.Itoa(os.Getpid()), ledger: file}
	server := &http.Server{Addr: "127.0.0.1:" + strconv.Itoa(port), Handler: f.handler(ctx)}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	until, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(until)
}

func (f *function) handler(ending context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /{name}/blob", f.blob)
	mux.HandleFunc("GET /{name}/slow", f.slow)
	mux.HandleFunc("POST /{name}/post", f.post)
	mux.HandleFunc("GET /{name}/events", func(w http.ResponseWriter, r *http.Request) { f.events(ending, w, r) })
	mux.HandleFunc("GET /{name}/socket", func(w http.ResponseWriter, r *http.Request) { f.socket(ending, w, r) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(headerID, r.Header.Get(headerID))
		w.Header().Set(headerPID, f.pid)
		mux.ServeHTTP(w, r)
	})
}

// blobOf is the only right body for a request: nobody else's looks like it.
func blobOf(id string, n int) []byte {
	return bytes.Repeat([]byte(id+"\n"), n/(len(id)+1)+1)[:n]
}

func (f *function) blob(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(n))
	_, _ = w.Write(blobOf(r.Header.Get(headerID), n))
}

func (f *function) slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(400 * time.Millisecond):
		_, _ = io.WriteString(w, r.Header.Get(headerID))
	case <-r.Context().Done():
	}
}

// receiptOf is what a request with a body is answered with.
func receiptOf(id string, body []byte) string {
	return fmt.Sprintf("%s %08x %d", id, crc32.ChecksumIEEE(body), len(body))
}

// post writes what came whole into the ledger, then answers. One write of one
// line with O_APPEND: instances do not mix their lines, and a killed one leaves
// no half of it.
func (f *function) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has left: nothing was processed
	}
	id := r.Header.Get(headerID)
	if _, err := f.ledger.WriteString(id + " " + f.pid + "\n"); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, receiptOf(id, body))
}

func (f *function) events(ending context.Context, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for n := 0; ; n++ {
		fmt.Fprintf(w, "data: %s %d\n\n", r.Header.Get(headerID), n)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-time.After(eventStep):
		case <-ending.Done():
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (f *function) socket(ending context.Context, w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(messageLimit)
	for {
		kind, message, err := c.Read(ending)
		if err != nil {
			if errors.Is(err, context.Canceled) {
				_ = c.Close(websocket.StatusGoingAway, "")
			}
			return
		}
		if c.Write(ending, kind, append([]byte(r.Header.Get(headerID)+" "), message...)) != nil {
			return
		}
	}
}
