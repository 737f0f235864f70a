package admin_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/admin"
	"holdfast/internal/runs"
	"holdfast/loadtest/report"
	"holdfast/test/need"
)

// keptRun puts a run that is over beside others, with a report of so many bytes:
// JSON does not mind blanks.
func keptRun(t *testing.T, dir, id string, size int) {
	t.Helper()
	text := fmt.Appendf(nil, `{"run":{"id":%q,"kind":"load","state":"passed","report":true}}`, id)
	if err := os.WriteFile(filepath.Join(dir, id+".json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	document := fmt.Appendf(nil, `{"schema":%d`, report.Schema)
	document = append(document, bytes.Repeat([]byte(" "), size-len(document)-1)...)
	if err := os.WriteFile(filepath.Join(dir, id+".report.json"), append(document, '}'), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReportsThatAreComparedAreBoundedTogether(t *testing.T) {
	need.Plain(t) // it reads a hundred megabytes
	t.Parallel()
	dir := t.TempDir()
	const (
		half, more, small = "20260101-000000-00000001", "20260101-000000-00000002", "20260101-000000-00000003"
		size              = 32 << 20
	)
	keptRun(t, dir, half, size)
	keptRun(t, dir, more, size+1)
	keptRun(t, dir, small, 1000)
	s := open(t, func(c *admin.Config) { c.Runs = runs.New(runs.Config{Dir: dir}) })
	for _, c := range []struct {
		name, a, b, want string
	}{
		{"as large as may be", half, half, "a comparison needs"},
		{"one byte more", half, more, "these reports have more than 64 MiB together"},
		{"as many as may be", strings.TrimSuffix(strings.Repeat(small+",", 20), ","), small, "a comparison needs"},
		{"one run more", strings.TrimSuffix(strings.Repeat(small+",", 21), ","), small, "at most 20 runs of each side"},
	} {
		e := s.refused(http.StatusBadRequest, http.MethodGet, "/api/v1/runs/compare?a="+c.a+"&b="+c.b, "")
		if !strings.Contains(e.Message, c.want) {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
}
