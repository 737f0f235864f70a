package swarm_test

import (
	"strconv"
	"testing"

	"holdfast/internal/platform/platformtest"
	"holdfast/internal/platform/swarm"
)

// TestSwarm has one engine for all it runs.
func TestSwarm(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Docker(t, "swarm", "update", "--task-history-limit=1") // crashes are told as such all the same
	t.Run("conformance", func(t *testing.T) {
		t.Parallel()
		platformtest.Run(t, c.conforming)
	})
	for name, test := range map[string]func(t *testing.T, c *cluster){
		"rolls back the command after a scale":        rollsBackTheCommandAfterAScale,
		"rolls back a version that crashes":           rollsBackAVersionThatCrashes,
		"never tells what crashes as running":         neverRunsWhatCrashes,
		"tries again when somebody was faster":        triesAgainWhenSomebodyWasFaster,
		"leaves all but the number as it is":          leavesAllButTheNumberAsItIs,
		"tells who is to end before it ends":          tellsWhoIsToEndBeforeItEnds,
		"knows the address on an overlay":             knowsTheAddressOnAnOverlay,
		"reaches tasks on the network of the host":    reachesTasksOnTheNetworkOfTheHost,
		"measures processor and memory":               measuresProcessorAndMemory,
		"says what is in the way and how to get past": saysWhatIsInTheWay,
		"tasks come and go with the tide":             tasksComeAndGoWithTheTide,
		"a drill scales the service":                  aDrillScalesTheService,
		"deploys the stack":                           deploysTheStack,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

func (c *cluster) conforming(t *testing.T) platformtest.Service {
	t.Helper()
	gate := newGate(t)
	name := c.service(t, onHost, gate.mount())
	p := newProxy(t, c)
	versions := 0
	return platformtest.Service{
		Driver:  newDriver(t, swarm.Config{Host: "unix://" + p.path, Service: name}),
		Slowest: patience,
		SetReplicas: func(t *testing.T, n int) {
			t.Helper()
			c.insist(t, "service", "scale", "--detach", name+"="+strconv.Itoa(n))
		},
		NewVersion: func(t *testing.T) {
			t.Helper()
			versions++
			c.update(t, name, "--env-add", "VERSION="+strconv.Itoa(versions))
		},
		Remove: func(t *testing.T) {
			t.Helper()
			c.Docker(t, "service", "rm", name)
		},
		Break:   p.close,
		Restore: p.open,
		Hold:    gate.shut,
	}
}
