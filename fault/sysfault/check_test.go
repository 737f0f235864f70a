package sysfault_test

import (
	"math"
	"os"
	"strings"
	"syscall"
	"testing"

	"holdfast/fault/sysfault"
)

func TestFaultsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	other := sysfault.Target{PID: 1 << 20}
	for _, c := range []struct {
		fault sysfault.Fault
		want  string
	}{
		{sysfault.Freeze{}, "the target must be"},
		{sysfault.Freeze{Target: sysfault.Target{PID: 1}}, "the target must be"},
		{sysfault.Freeze{Target: sysfault.Target{PID: -5}}, "the target must be"},
		{sysfault.Freeze{Target: sysfault.Target{PID: os.Getpid()}}, "not this process"},
		{sysfault.Kill{Target: sysfault.Target{PID: syscall.Getpgrp(), Group: true}}, "or its own group"},
		{sysfault.Kill{Target: other, Signal: 99}, "the signal is unknown"},
		{sysfault.CPU{Target: other}, "between 1 and 100 percent"},
		{sysfault.Memory{Target: other, Bytes: 5}, "at least 1MiB"},
		{sysfault.Network{}, "the port must"},
		{sysfault.Network{Port: 80, Way: 9}, "the way is unknown"},
		{sysfault.Network{Port: 80, Percent: math.NaN()}, "the share of packets"},
		{sysfault.Network{Port: 80, Namespace: "x"}, "absolute and clean"},
		{sysfault.Redirect{Port: 80}, "the port must"},
		{sysfault.Redirect{Port: 80, To: 80}, "another one"},
		{sysfault.Disk{Dir: "/", Bytes: 1 << 20}, "absolute and clean"},
		{sysfault.Disk{Dir: "/tmp/../etc", Bytes: 1 << 20}, "absolute and clean"},
		{sysfault.Disk{Dir: "/tmp/x", Bytes: 1 << 40}, "between 64KiB and 1GiB"},
		{sysfault.Fill{Dir: "data"}, "absolute and clean"},
	} {
		if err := c.fault.Check(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.fault.String()) {
			t.Errorf("%s: %v, want %q", c.fault, err, c.want)
		}
	}
	for _, f := range []sysfault.Fault{
		sysfault.Freeze{Target: other},
		sysfault.Kill{Target: other},
		sysfault.CPU{Target: other, Percent: 5},
		sysfault.Memory{Target: other, Bytes: 1 << 20},
		sysfault.Network{Port: 80},
		sysfault.Redirect{Port: 80, To: 8080},
		sysfault.Disk{Dir: "/x", Bytes: 1 << 20},
		sysfault.Fill{Dir: "/x"},
	} {
		if err := f.Check(); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}
