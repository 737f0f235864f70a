package swarm

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/network"
	api "github.com/moby/moby/api/types/swarm"
)

const hostNetwork = "host"

// check says what is in the way of running instances of the service.
func (c *Config) check(s *api.Service) error {
	if s.Spec.Mode.Replicated == nil {
		return fmt.Errorf("service %s runs in mode %s, whose number of tasks cannot be set: create it with --mode replicated", c.Service, mode(s))
	}
	if c.Network != "" || c.published(s) || len(s.Spec.TaskTemplate.Networks) > 0 {
		return nil
	}
	return fmt.Errorf("the tasks of %s cannot be reached one by one: publish their port with --publish mode=host,target=%d, or attach the service and Holdfast to an overlay network and name it under network", c.Service, c.Port)
}

func mode(s *api.Service) string {
	switch m := s.Spec.Mode; {
	case m.Global != nil:
		return "global"
	case m.ReplicatedJob != nil:
		return "replicated-job"
	case m.GlobalJob != nil:
		return "global-job"
	}
	return "unknown"
}

func (c *Config) published(s *api.Service) bool {
	return s.Spec.EndpointSpec != nil && slices.ContainsFunc(s.Spec.EndpointSpec.Ports, c.isPort)
}

func (c *Config) isPort(p api.PortConfig) bool {
	return p.PublishMode == api.PortConfigPublishModeHost && int(p.TargetPort) == c.Port && p.Protocol == network.TCP
}

// attached says whether tasks that run can be reached as configured.
func (c *Config) attached(s *api.Service, tasks []api.Task) error {
	if c.Network == "" && c.published(s) {
		return nil
	}
	for n := range tasks {
		t := &tasks[n]
		if t.Status.State != api.TaskStateRunning || !wanted(t) {
			continue
		}
		var names []string
		for _, a := range t.NetworksAttachments {
			if c.reaches(&a.Network) {
				return nil
			}
			if !a.Network.Spec.Ingress {
				names = append(names, a.Network.Spec.Name)
			}
		}
		return c.unreachable(strings.Join(names, ", "))
	}
	return nil
}

// reaches: tasks are reached on this network, or on that of their hosts.
func (c *Config) reaches(n *api.Network) bool {
	if c.Network == "" {
		return n.Spec.Name == hostNetwork
	}
	return c.Network == n.ID || c.Network == n.Spec.Name
}

func (c *Config) unreachable(names string) error {
	if c.Network == "" {
		return fmt.Errorf("service %s does not publish port %d with mode=host: publish it, or name the overlay network on which to reach the tasks under network (%s)", c.Service, c.Port, names)
	}
	return fmt.Errorf("the tasks of %s are not on network %s: name one of theirs under network (%s)", c.Service, c.Network, names)
}

// endpoint is where a task gets its requests; empty while it is not known.
func (w *watch) endpoint(t *api.Task) string {
	c := &w.d.cfg
	host, port := w.nodes[t.NodeID], 0
	for _, p := range t.Status.PortStatus.Ports {
		if c.isPort(p) {
			port = int(p.PublishedPort)
		}
	}
	for _, a := range t.NetworksAttachments {
		switch {
		case !c.reaches(&a.Network):
		case c.Network != "":
			host, port = overlayAddress(a.Addresses), c.Port
		case port == 0:
			port = c.Port
		}
	}
	if host == "" || port == 0 {
		return ""
	}
	return c.Scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// overlayAddress is the first address of a task on a network, IPv4 before IPv6.
func overlayAddress(all []netip.Prefix) string {
	best := ""
	for _, p := range all {
		switch {
		case p.Addr().Is4():
			return p.Addr().String()
		case best == "":
			best = p.Addr().String()
		}
	}
	return best
}
