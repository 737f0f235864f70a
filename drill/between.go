package drill

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"holdfast/fault"
	"holdfast/fault/httpfault"
	"holdfast/fault/sysfault"
)

// proxy is a fault proxy at work between the gateway and an instance.
//
//	gateway ──► port of the instance ─┄ redirected ┄─► proxy ──► instance
//
// Nobody has to be told: connections are redirected on their way, and come back by themselves once they are not.
type proxy interface {
	Run(ctx context.Context) error
	Struck() int64
	Calm() error // faults no more
}

type tcpProxy struct{ *fault.Proxy }

func (p tcpProxy) Struck() int64 { return p.Stats().Struck }
func (p tcpProxy) Calm() error   { return p.Set() }

type httpProxy struct{ *httpfault.Proxy }

func (p httpProxy) Struck() int64 { return p.Stats().Struck }
func (p httpProxy) Calm() error   { return p.Set() }

// proxySeed makes the same faults hit the same connections and requests in each run.
const proxySeed = 1

// passing is how long a proxy passes on what is under way when its time is over.
const passing = time.Second

func (s *Step) checkFaults() error {
	faults, tcp := fault.Parse(s.Text)
	rules, http := httpfault.Parse(s.Text)
	n, err := len(rules), http
	if s.Do == TCP {
		n, err = len(faults), tcp
	}
	switch {
	case err != nil:
		return fmt.Errorf("text: %w", err)
	case n == 0:
		return errFaults
	}
	return nil
}

// newProxy makes a proxy with the faults of a step. Its own connections are not redirected.
func (s *Step) newProxy(l net.Listener, address string) (proxy, error) {
	dial := func(ctx context.Context) (net.Conn, error) {
		d := net.Dialer{Control: sysfault.Bypass}
		return d.DialContext(ctx, "tcp", address)
	}
	if s.Do == TCP {
		faults, err := fault.Parse(s.Text)
		if err != nil {
			return nil, err
		}
		p, err := fault.New(fault.Config{Listener: l, Dial: dial, Seed: proxySeed, Faults: faults})
		return tcpProxy{p}, err
	}
	rules, err := httpfault.Parse(s.Text)
	if err != nil {
		return nil, err
	}
	p, err := httpfault.New(httpfault.Config{Listener: l, Dial: dial, Seed: proxySeed, Rules: rules})
	return httpProxy{p}, err
}

// between puts a proxy between whoever on this machine connects to an instance and the instance. When the driver dies,
// the proxy does, and the guard ends the redirection: then all is as before.
func (r *run) between(ctx context.Context, s *Step, i *Instance, atMost time.Duration, keep func(undo)) error {
	from, err := port(i.Address)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", loopbackFor(i.Address))
	if err != nil {
		return fmt.Errorf("open the port of a fault proxy: %w", err)
	}
	p, err := s.newProxy(l, i.Address)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	to, err := port(l.Addr().String())
	if err != nil {
		return errors.Join(err, l.Close())
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx)) // it is ended by what is kept
	ended := make(chan error, 1)
	go func() { ended <- p.Run(life) }()
	end := func() error { stop(); return <-ended }
	revert, err := r.driver.Inject(ctx, sysfault.Redirect{Port: from, To: to}, atMost)
	if err != nil {
		return errors.Join(err, end())
	}
	keep(func(ctx context.Context) error {
		err := errors.Join(revert(), p.Calm(), wait(ctx, time.Now().Add(passing)))
		r.mu.Lock()
		r.struck, r.proxied = r.struck+p.Struck(), true
		r.mu.Unlock()
		return errors.Join(err, end())
	})
	return nil
}

// loopbackFor is where connections to an address are redirected to: the loopback of its family.
func loopbackFor(address string) string {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.To4() == nil {
		return "[::1]:0"
	}
	return "127.0.0.1:0"
}
