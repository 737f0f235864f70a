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
}

// keep returns the Book as it is kept.
func (b *Book) keep() kept {
	k := kept{Over: b.over, Groups: b.groups, Ends: b.ends, Recent: b.recent, Silences: b.silences}
	for _, s := range b.states {
		k.States = append(k.States, s)
	}
	slices.SortFunc(k.States, worse)
	return k
}

// restore takes over what an earlier process knew.
func (b *Book) restore(k *kept) {
	for _, s := range k.States {
		s.Well = time.Time{} // nobody looked meanwhile
		b.states[s.Fingerprint] = s
	}
	b.over, b.recent, b.silences = k.Over, k.Recent, k.Silences
	if k.Groups != nil {
		b.groups = k.Groups
	}
	if k.Ends != nil {
		b.ends = k.Ends
	}
}

// readKept returns what a file holds, nothing where there is none. A damaged
// file is put aside and told of.
func readKept(path string) (kept, error) {
	var k kept
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("read alerts: %w", err)
	}
	if err := json.Unmarshal(text, &k); err != nil {
		aside := path + ".damaged"
		return kept{}, errors.Join(fmt.Errorf("read alerts: %s is damaged and was put aside as %s: %w", path, filepath.Base(aside), err), os.Rename(path, aside))
	}
	return k, nil
}

func encodeKept(k *kept) ([]byte, error) {
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
