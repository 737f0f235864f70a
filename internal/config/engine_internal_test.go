package config

import "testing"

func TestTheLoopsAreRefusedWhereThereAreNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ engine, system, want string }{
		{"http1", "linux", ""},
		{"std", "darwin", ""},
		{"http1", "darwin", "engine: http1 needs Linux, this is darwin; write engine: std"},
	} {
		s := settler{config: &Config{Engine: c.engine}, origins: &Origins{}, problems: newCollector()}
		s.engine(c.system)
		got := ""
		for _, p := range s.problems.list {
			got += p.Error()
		}
		if got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.engine, c.system, got, c.want)
		}
	}
}
