package process_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	hfchild "holdfast/internal/child"
	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

// childEnv names the part this binary plays when it is run as a child.
const childEnv = "HF_TEST_CHILD"

func TestMain(m *testing.M) {
	if part := os.Getenv(childEnv); part != "" {
		os.Exit(playChild(part))
	}
	goleak.VerifyTestMain(m)
}

// self is this binary, by a path that is good in any directory.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// playChild is a child: what it does first, then what it is.
func playChild(part string) int {
	switch part {
	case "guard":
		return exitCode(hfchild.RunGuard(os.Stdin))
	case "driver":
		return playDriver()
	case "crash":
		fmt.Println("cannot find my configuration")
		return 7
	case "crash until gate": // exits while the file is not there
		if _, err := os.Stat(os.Getenv("GATE")); err != nil {
			return 1
		}
	case "wait for gate":
		if err := awaitGate(); err != nil {
			return exitCode(err)
		}
	case "held": // while the file is there
		for _, err := os.Stat(os.Getenv("GATE")); err == nil; _, err = os.Stat(os.Getenv("GATE")) {
			time.Sleep(5 * time.Millisecond)
		}
	case "never listens":
		fmt.Println("still thinking")
		awaitTerm()
		return 0
	case "listens elsewhere":
		return exitCode(serve("127.0.0.1:0", 0))
	case "deaf", "deaf helper":
		signal.Ignore(syscall.SIGTERM)
	case "with helper", "dies before helper", "with busy helper":
		return playParent(part)
	case "helper":
		awaitTerm()
		return 0
	case "busy helper": // has something to finish after SIGTERM
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		fmt.Println("ready")
		<-term
		return exitCode(awaitGate())
	case "noisy":
		makeNoise()
	}
	if part == "deaf helper" {
		select {}
	}
	return exitCode(serve(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), 0))
}

// awaitGate blocks until somebody opens the FIFO GATE for writing.
func awaitGate() error {
	gate, err := os.Open(os.Getenv("GATE"))
	if err != nil {
		return err
	}
	return gate.Close()
}

func exitCode(err error) int {
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// awaitTerm returns at SIGTERM, except in a deaf child: Notify would undo the
// Ignore there.
func awaitTerm() {
	if signal.Ignored(syscall.SIGTERM) {
		select {}
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
}

// serve answers until SIGTERM. helper is a process it started, 0 none.
func serve(addr string, helper int) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "here") })
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, os.Getenv(r.URL.Query().Get("key")))
	})
	mux.HandleFunc("/args", func(w http.ResponseWriter, _ *http.Request) {
		dir, _ := os.Getwd()
		_, _ = fmt.Fprint(w, strings.Join(append(os.Args[1:], dir), " "))
	})
	mux.HandleFunc("/helper", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, helper) })
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.URL.Query().Get("code"))
		os.Exit(code)
	})
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(l) }()
	awaitTerm()
	return server.Close()
}

// playParent starts a helper in its own process group and serves.
func playParent(part string) int {
	helper := exec.CommandContext(context.Background(), self())
	helper.Env = append(os.Environ(), childEnv+"=deaf helper")
	helper.Stdout = os.Stdout // holds the output pipe open too
	switch part {
	case "dies before helper":
		helper.Env = append(helper.Env, childEnv+"=helper")
	case "with busy helper":
		helper.Env, helper.Stdout = append(helper.Env, childEnv+"=busy helper"), nil
	}
	var ready io.Reader
	if part == "with busy helper" {
		ready, _ = helper.StdoutPipe() // an error shows in the read
	}
	if err := helper.Start(); err != nil {
		return exitCode(err)
	}
	if ready != nil {
		if _, err := ready.Read(make([]byte, 1)); err != nil {
			return exitCode(err)
		}
	}
	return exitCode(serve(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), helper.Process.Pid))
}

func makeNoise() {
	out := os.Stdout
	for i := range 50 {
		_, _ = fmt.Fprintf(out, "line %d\n", i)
	}
	_, _ = fmt.Fprintf(out, "%s\n", strings.Repeat("x", 1<<20))
	_, _ = out.Write([]byte("\x1b[31mred\x1b[0m \x00\xff\xfe\x07 junk\r\n"))
	_, _ = fmt.Fprintln(os.Stderr, "from stderr")
	_, _ = fmt.Fprint(out, "no end")
}

// playDriver is a Holdfast that is going to be killed: it says on stdout which
// processes it has.
func playDriver() int {
	spec := process.Spec{Function: "f", Command: []string{self()}, Env: map[string]string{childEnv: os.Getenv("PART")}, Instances: 2}
	cfg := process.Config{OnChange: func(i platform.Instance) {
		if i.State == platform.Running {
			fmt.Println(i.PID, i.Endpoint)
		}
	}}
	if os.Getenv("GUARDED") != "" {
		cfg.Guard = []string{"/usr/bin/env", childEnv + "=guard", self()}
	}
	d, err := process.New(spec, cfg)
	if err != nil {
		return exitCode(err)
	}
	return exitCode(d.Run(context.Background()))
}

// poll asks until the answer is yes.
func poll(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute) // how long a busy machine takes is nothing a test is about
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited too long for: %s", what)
		}
	}
}

// dead says whether no such process runs. An orphan that nobody reaped yet is
// dead too.
func dead(pid int) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// reaped says whether nothing is left of a process, not even a zombie.
func reaped(pid int) bool {
	_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
	return err != nil
}
