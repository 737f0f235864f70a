package source_test

import (
	"slices"
	"strings"
	"testing"

	"holdfast/loadtest/source"
)

func TestTimesOfRequestsAreReadFromLogs(t *testing.T) {
	t.Parallel()
	const log = `{"time":"2026-11-01T10:00:01.5Z","msg":"exchange","path":"/a"}
{"time":"2026-11-01T10:00:02Z","msg":"ready"}
192.0.2.1 - - [01/Nov/2026:10:00:03 +0000] "POST /b HTTP/1.1" 200 12
{"time":"yesterday","path":"/a"}
`
	times, notes, err := source.Times(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, at := range times {
		got = append(got, at.UTC().Format("15:04:05.0"))
	}
	if want := []string{"10:00:01.5", "10:00:03.0"}; !slices.Equal(got, want) {
		t.Errorf("requests at %v, want %v", got, want)
	}
	if want := "2 lines without a request and its time were left out, the first is line 2"; len(notes) != 1 || notes[0] != want {
		t.Errorf("notes %q, want %q", notes, want)
	}
	if _, _, err := source.Times(strings.NewReader("nothing\n")); err == nil || !strings.Contains(err.Error(), "no line of it is a request") {
		t.Errorf("a log without requests: %v", err)
	}
}
