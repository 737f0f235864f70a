package store

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// FuzzLoadingStates reads states.json, which a process leaves that died while
// the store was down. A damaged file is no reason to stop, never more is taken
// from it than there is room for, and what was taken can be left again.
func FuzzLoadingStates(f *testing.F) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var saved []savedState
	for _, s := range []State{
		Breaker{Function: "a", State: "open", UpdatedAt: at},
		Instance{ID: "i", Function: "a", Endpoint: "http://h:1", Status: "active", UpdatedAt: at},
		NodeState{Node: "n", Kind: "breaker", Name: "a", UpdatedAt: at},
		InstanceGone{ID: "j", At: at},
		TokenUse{ID: "0123456789ab", At: at},
	} {
		one, err := encodeState(s)
		if err != nil {
			f.Fatal(err)
		}
		saved = append(saved, one)
	}
	whole, err := json.Marshal(saved)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{whole, whole[:len(whole)/2], []byte(`[]`), []byte(`[{"kind":"breaker","state":null},{}]`), []byte("{\"\xff")} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		const room = 3
		l := newLatest(dir, room)
		if err := os.WriteFile(l.path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := l.load(); err != nil {
			t.Fatalf("load: %v", err)
		}
		taken := l.all()
		if len(taken) > room {
			t.Fatalf("%d states taken, there is room for %d", len(taken), room)
		}
		if err := l.write(taken); err != nil {
			t.Fatalf("leave what was taken: %v", err)
		}
		again := newLatest(dir, room)
		if err := again.load(); err != nil {
			t.Fatal(err)
		}
		if got := again.all(); len(got) != len(taken) {
			t.Errorf("%d states left, %d came back", len(taken), len(got))
		}
	})
}
