package need_test

import (
	"path/filepath"
	"strings"
	"testing"

	"holdfast/test/need"
)

// recorder stands in for the test that asks; skipping and failing must not end the test that looks on.
type recorder struct {
	testing.TB
	skipped, failed string
}

type ended struct{}

func (*recorder) Helper() {}

func (r *recorder) Skip(args ...any) {
	r.skipped, _ = args[0].(string)
	panic(ended{})
}

func (r *recorder) Fatalf(format string, _ ...any) {
	r.failed = format
	panic(ended{})
}

func ask(t *testing.T, name string) (r *recorder, path string) {
	t.Helper()
	r = &recorder{TB: t}
	defer func() {
		if v := recover(); v != nil && v != any(ended{}) {
			panic(v)
		}
	}()
	return r, need.Command(r, name)
}

func TestAPresentProgramIsFound(t *testing.T) {
	t.Parallel()
	if path := need.Command(t, "go"); filepath.Base(path) != "go" {
		t.Errorf("Command(go) = %q", path)
	}
}

func TestAMissingProgramSkipsWithItsName(t *testing.T) {
	t.Setenv("HOLDFAST_NO_SKIP", "")
	r, path := ask(t, "no-such-program")
	if path != "" || !strings.Contains(r.skipped, "no-such-program") || r.failed != "" {
		t.Errorf("path %q, skipped %q, failed %q", path, r.skipped, r.failed)
	}
}

func TestAMissingProgramFailsWhereSkippingIsForbidden(t *testing.T) {
	t.Setenv("HOLDFAST_NO_SKIP", "1")
	r, _ := ask(t, "no-such-program")
	if r.failed == "" || r.skipped != "" {
		t.Errorf("skipped %q, failed %q", r.skipped, r.failed)
	}
}
