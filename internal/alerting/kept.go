package alerting

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"holdfast/internal/alerting/channel"
)

// kept is a Book on disk.
type kept struct {
	States   []*state               `json:"states,omitempty"`
	Over     []*state               `json:"over,omitempty"`
	Groups   map[string]*group      `json:"groups,omitempty"`
	Ends     map[string][]time.Time `json:"ends,omitempty"`
	Recent   []channel.Alert        `json:"recent,omitempty"`
	Silences []Silence              `json:"silences,omitempty"`
	Refused  map[string]string      `json:"refused,omitempty"` // channels that refuse, and how
	// Owed are channels that must be told once more what fires, and since when.
	Owed     map[string]time.Time `json:"owed,omitempty"`
	Channels []string             `json:"channels,omitempty"` // that had a sender
	// Number is the highest that a queue has given.
	Number uint64 `json:"number,omitempty"`
}

// keep writes the Book into k.
func (b *Book) keep(k *kept) {
	k.Over, k.Groups, k.Ends, k.Recent, k.Silences = b.over, b.groups, b.ends, b.recent, b.silences
	for _, s := range b.states {
		k.States = append(k.States, s)
	}
	slices.SortFunc(k.States, worse)
}

// restore takes over what an earlier process knew. What cannot be is left out,
// and no time lies ahead: a clock that was wrong then must silence nobody now.
func (b *Book) restore(k *kept, now time.Time) {
	for _, s := range k.States {
		if s != nil && s.Fingerprint != "" && b.states[s.Fingerprint] == nil {
			s.Well, s.Ended = time.Time{}, time.Time{} // nobody looked meanwhile
			s.Began, s.Since = notAfter(s.Began, now), notAfter(s.Since, now)
			s.Until = notAfter(s.Until, now.Add(failoverShown))
			b.states[s.Fingerprint] = s
		}
	}
	for _, s := range k.Over {
		if s != nil && s.Fingerprint != "" && !s.Ended.IsZero() {
			s.Began, s.Ended = notAfter(s.Began, now), notAfter(s.Ended, now)
			b.over = append(b.over, s)
		}
	}
	for key, g := range k.Groups {
		if g != nil {
			g.Told, g.News = notAfter(g.Told, now), notAfter(g.News, now)
			b.groups[key] = g
		}
	}
	for id, ends := range k.Ends {
		for _, at := range ends {
			b.ends[id] = append(b.ends[id], notAfter(at, now))
		}
	}
	b.recent = append(b.recent, k.Recent...)
	b.recent = b.recent[:min(len(b.recent), maxRecent)]
	b.silences = append(b.silences, k.Silences...)
	b.silences = b.silences[:min(len(b.silences), maxSilences)]
}

// notAfter is at, or most where at is later. It goes by the clock of this process
// from here on, which nobody sets.
func notAfter(at, most time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return most.Add(min(at.Sub(most), 0))
}

// readKept returns what a file of JSON holds, nothing where there is none. A
// damaged file is put aside and told of.
func readKept[T any](path string) (T, error) {
	var k, none T
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("read alerts: %w", err)
	}
	if err := json.Unmarshal(text, &k); err != nil {
		aside := path + ".damaged"
		return none, errors.Join(fmt.Errorf("read alerts: %s is damaged and was put aside as %s: %w", path, filepath.Base(aside), err), os.Rename(path, aside))
	}
	return k, nil
}

func encodeKept(k any) ([]byte, error) {
	text, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("keep alerts: %w", err)
	}
	return text, nil
}

// writeKept replaces the file as a whole.
func writeKept(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("keep alerts: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keep alerts: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
