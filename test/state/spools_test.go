package state_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

// What earlier processes left beside the own spool is emptied, removed, and
// told of when it cannot be.
func TestSpoolsOfEarlierProcessesAreTakenCareOf(t *testing.T) {
	t.Parallel()
	data, err := os.MkdirTemp("", "hf-") // a socket's path must be short
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	empty, damaged, blocked := filepath.Join(data, "spool-2"), filepath.Join(data, "spool-3"), filepath.Join(data, "spool-4")
	must(t, os.Mkdir(empty, 0o700))
	must(t, os.WriteFile(filepath.Join(empty, "event.reserve"), make([]byte, 512<<10), 0o600))
	must(t, os.Mkdir(damaged, 0o700))
	must(t, os.WriteFile(filepath.Join(damaged, "event-0000000000000001.seg"), []byte("no segment at all"), 0o600))
	must(t, os.WriteFile(blocked, nil, 0o600)) // where a directory should be
	p := holdfast.UpIn(t, data, "--to", serve(t, func(http.ResponseWriter, *http.Request) {}))
	for _, dir := range []string{empty, damaged} {
		holdfast.Poll(t, 30*time.Second, "removed: "+dir, func() bool {
			_, err := os.Stat(dir)
			return errors.Is(err, os.ErrNotExist)
		})
	}
	holdfast.Poll(t, 30*time.Second, "told that a spool is damaged", func() bool { return strings.Contains(p.Log(), "the spool could not be read back") })
	const says = "the spool of an earlier process cannot be opened"
	holdfast.Poll(t, 30*time.Second, "told that a spool cannot be opened", func() bool { return strings.Contains(p.Log(), says) })
	<-time.After(2500 * time.Millisecond) // it is tried again every 2 s
	if log := p.Log(); strings.Count(log, says) != 1 || !strings.Contains(log, blocked) {
		t.Errorf("it is told %d times, want once with its name", strings.Count(log, says))
	}
	if n := strings.Count(p.Log(), "the store serves"); n != 1 {
		t.Errorf("the log says %d times that the store serves", n)
	}
}
