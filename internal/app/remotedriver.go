package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/platform"
	"holdfast/internal/platform/kubernetes"
	"holdfast/internal/platform/swarm"
)

const (
	// Waits between two tries to make or run a driver.
	leastDriverWait = time.Second
	mostDriverWait  = 30 * time.Second
)

// errDriverEnded: a driver runs until it is told to end.
var errDriverEnded = errors.New("the driver ended by itself")

// newDriver makes the driver of a function's platform.
func (r *remotes) newDriver(function string, p config.Platform) (platform.Driver, error) {
	if k := p.Kubernetes; k != nil {
		d, err := kubernetes.New(kubernetes.Config{
			Kubeconfig: k.Kubeconfig, Context: k.Context, Namespace: k.Namespace,
			Target: k.Target, Service: k.Service, Port: k.Port, Scheme: k.Scheme,
		})
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	s, file := p.DockerSwarm, filepath.Join(r.data.path, "swarm-"+function)
	kept, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read what was kept of the service: %w", err)
	}
	d, err := swarm.New(swarm.Config{
		Host: s.Host, TLS: swarm.TLS{CA: s.TLS.CA, Cert: s.TLS.Cert, Key: s.TLS.Key},
		Service: s.Service, Port: s.Port, Network: s.Network, Scheme: s.Scheme,
		Kept: kept, Keep: func(b []byte) {
			if err := writeWhole(file, b); err != nil {
				r.logger.Warn("keep the versions of a service: after a restart fewer are known", "function", function, "error", err)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// run makes the driver and has it watch until the watch ends. It begins again
// when either fails, waiting longer each time.
func (r *remote) run(w *watch, p config.Platform) {
	wait := leastDriverWait
	for w.ctx.Err() == nil {
		began := time.Now()
		err := r.runOnce(w, p)
		if w.ctx.Err() != nil {
			return
		}
		r.hear(w, platform.Observation{}, err)
		if time.Since(began) > mostDriverWait {
			wait = leastDriverWait
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-w.ctx.Done():
			timer.Stop()
			return
		}
		wait = min(2*wait, mostDriverWait)
	}
}

func (r *remote) runOnce(w *watch, p config.Platform) error {
	d, err := r.owner.newDriver(r.name, p)
	if err != nil {
		return err
	}
	r.mu.Lock()
	w.driver = d
	r.mu.Unlock()
	if err := d.Run(w.ctx, func(o platform.Observation, err error) { r.hear(w, o, err) }); err != nil {
		return err
	}
	return errDriverEnded
}
