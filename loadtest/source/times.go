package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Times reads when the requests of an access log came, in the order of the
// log, whatever they asked for: in the form Replay reads, or as lines of JSON
// with the time in "time", as Holdfast writes them; lines of JSON without a
// path are of something else. Notes say what was left out.
func Times(in io.Reader) (times []time.Time, notes []string, err error) {
	skipped, n, firstBad := 0, 0, 0
	err = lines(in, func(line string) error {
		n++
		at, ok := moment(line)
		if !ok {
			if skipped++; skipped == 1 {
				firstBad = n
			}
			return nil
		}
		if times = append(times, at); len(times) > maxMoments {
			return fmt.Errorf("it has more than %d requests, which is what is held in memory", maxMoments)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, nil, err
	case len(times) == 0:
		return nil, nil, errors.New("read the access log: no line of it is a request with a time")
	case skipped > 0:
		notes = []string{fmt.Sprintf("%d lines without a request and its time were left out, the first is line %d", skipped, firstBad)}
	}
	return times, notes, nil
}

// maxMoments bounds what Times holds in memory, with 24 bytes each.
const maxMoments = 20_000_000

// moment is when the request of a line came.
func moment(line string) (time.Time, bool) {
	if !strings.HasPrefix(line, "{") {
		return stamp(line)
	}
	var of struct {
		Time time.Time `json:"time"`
		Path string    `json:"path"`
	}
	if json.Unmarshal([]byte(line), &of) != nil || of.Path == "" || of.Time.IsZero() {
		return time.Time{}, false
	}
	return of.Time, true
}
