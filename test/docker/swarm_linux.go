package docker

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/test/need"
)

// NodeAddress is the address of the node of [Swarm].
const NodeAddress = "10.99.0.1"

const apart = "HOLDFAST_TEST_APART"

// Apart is for TestMain: it begins the test program anew on a network of its
// own, where an engine may have bridges and rules of the firewall, and the tests
// reach what it runs. Nothing of that is seen on the machine, and it is gone
// with the program. It returns once it is there; without the rights it returns
// too, and Swarm ends the tests that need it.
func Apart() error {
	if os.Getenv(apart) == "1" {
		return setUp()
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the namespace is the thread's, and exec keeps this one
	defer runtime.UnlockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return nil // not root: Swarm says so
	}
	return syscall.Exec(self, os.Args, append(os.Environ(), apart+"=1"))
}

// setUp makes the network: the loopback, and a pair of interfaces of which one
// has the node's address. Swarm takes no loopback for that.
func setUp() error {
	for _, args := range []string{
		"link set lo up",
		"link add node0 type veth peer name node1",
		"addr add " + NodeAddress + "/24 dev node0",
		"link set node0 up",
		"link set node1 up",
	} {
		ip := exec.Command("ip", strings.Fields(args)...)
		ip.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
		if out, err := ip.CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	return nil
}

// Swarm starts an engine that is the only node of a swarm, with bridges, overlay
// networks and published ports. TestMain has called Apart.
func Swarm(tb testing.TB) *Engine {
	tb.Helper()
	need.Command(tb, "ip")
	if os.Getenv(apart) != "1" {
		need.Missing(tb, "a network apart needs root")
	}
	e := Start(tb, Config{Args: []string{"--iptables=true"}})
	e.Docker(tb, "swarm", "init", "--advertise-addr", NodeAddress)
	tb.Cleanup(func() { // else it would start containers again while they are removed
		if _, err := e.Try("swarm", "leave", "--force"); err != nil {
			tb.Error(err)
		}
	})
	return e
}

// Kill kills the engine as a crash would; containers live on without it.
func (e *Engine) Kill(tb testing.TB) {
	tb.Helper()
	if err := e.cmd.Process.Kill(); err != nil {
		tb.Fatal(err)
	}
	<-e.done
}

// Again starts the engine that was killed, with what it had.
func (e *Engine) Again(tb testing.TB) {
	tb.Helper()
	deadline := time.Now().Add(startLimit)
	for {
		err := e.launch()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("start the engine again: %v", err)
		}
	}
}
