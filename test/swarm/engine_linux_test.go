package swarm_test

import (
	"testing"

	"holdfast/internal/platform"
	"holdfast/internal/platform/swarm"
)

// It has an engine of its own, and is alone while it has it: a swarm has ports
// that cannot be chosen.
func TestAnEngineThatCrashesIsNotAServiceWithoutInstances(t *testing.T) {
	c := newCluster(t)
	name := c.service(t, onHost)
	d := newDriver(t, swarm.Config{Host: c.Host, Service: name})
	s := run(t, d)
	s.running(1)
	scale(t, d, 2)
	s.running(2)
	c.Kill(t)
	s.fails("the Docker Engine at " + c.Host + " does not answer, is it running there?")
	if err := d.Scale(t.Context(), platform.Order{Instances: 3}); err == nil {
		t.Error("an order nobody can have taken is told as taken")
	}
	c.Again(t)
	s.running(2)
	scale(t, d, 1)
	says(t, s.running(1), "one")
	for _, o := range s.everything() {
		if o.Desired == 0 || len(o.Instances) == 0 || o.Owner != "" {
			t.Errorf("told in between: %+v", o)
		}
	}
	c.Docker(t, "swarm", "leave", "--force")
	s.fails("the Docker Engine at " + c.Host + " is no manager of a swarm: set host to one that is, or make it one with `docker swarm init`")
	c.Docker(t, "swarm", "init", "--advertise-addr", "10.99.0.1")
}
