// Package swarm_test runs the driver of Docker Swarm against a real engine that
// is a swarm of one node, and deploy/swarm on it.
package swarm_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"holdfast/test/docker"
)

func TestMain(m *testing.M) {
	if err := docker.Apart(); err != nil {
		fmt.Fprintln(os.Stderr, "make a network for the tests:", err)
		os.Exit(1)
	}
	if err := parallel(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// Most of these tests is waiting, so more run side by side than there are
// processors.
func parallel() error {
	flag.Parse()
	return flag.Set("test.parallel", "8")
}
