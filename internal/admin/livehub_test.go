package admin

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// staged is a hub whose scenes the test makes.
type staged struct {
	*live
	mu    sync.Mutex
	count int
	next  scene
}

// looks is how often was looked.
func (s *staged) looks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// change changes what is seen from now on.
func (s *staged) change(f func(*scene)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.next)
}

func stage(t *testing.T) *staged {
	t.Helper()
	s := &staged{next: scene{problems: []string{}, functions: []FunctionLive{{Name: "a"}, {Name: "b"}}}}
	s.live = newLive(self{"v1", "node"}, func(time.Time, []string) *scene {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count++
		c := s.next
		return &c
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return s
}

// kept is how many rows the hub keeps.
func kept(s *staged) int {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	return len(s.functions.rows)
}

// frames is what a viewer has to read now, as one text.
func frames(v *viewer) string { return string(bytes.Join(v.next(), nil)) }

func TestNobodyLooksWhileNobodyWatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := stage(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.looks() != 0 {
			t.Errorf("looked %d times", s.looks())
		}
		v := s.join("")
		synctest.Wait()
		if s.looks() != 1 {
			t.Errorf("looked %d times at once for who came, want 1", s.looks())
		}
		time.Sleep(10*time.Second + 10*time.Millisecond)
		synctest.Wait()
		if s.looks() != 11 {
			t.Errorf("looked %d times in 10 s, want 11", s.looks())
		}
		v.leave()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.looks() != 11 || kept(s) != 0 {
			t.Errorf("looked %d times, keeps %d rows for nobody", s.looks(), kept(s))
		}
	})
}

func TestViewersThatComeOneAfterAnotherCauseFewLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := stage(t)
		time.Sleep(time.Second)
		for range 500 { // in half a second
			v := s.join("a")
			time.Sleep(time.Millisecond)
			v.leave()
		}
		if s.looks() > 7 {
			t.Errorf("looked %d times", s.looks())
		}
	})
}

func TestOnlyRowsThatChangedAreSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := stage(t)
		v := s.join("")
		synctest.Wait()
		if got := frames(v); !strings.HasPrefix(got, "event: all\ndata: {") || strings.Count(got, `"name"`) != 2 || !strings.Contains(got, `"version":"v1","node":"node"`) {
			t.Fatalf("first %s", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := frames(v); !strings.HasPrefix(got, "event: change\n") || !strings.HasSuffix(got, `,"functions":[],"removed":[]}`+"\n\n") {
			t.Errorf("nothing changed: %s", got)
		}
		s.change(func(c *scene) {
			c.functions, c.problems = []FunctionLive{{Name: "b", Rate: 3}}, []string{"it burns"}
		})
		time.Sleep(time.Second)
		synctest.Wait()
		got := frames(v)
		if !strings.Contains(got, `"problems":["it burns"],"functions":[{"name":"b"`) || !strings.Contains(got, `"removed":["a"]}`) || strings.Contains(got, `"alerts"`) {
			t.Errorf("b changed and a went: %s", got)
		}
		v.leave()
	})
}

func TestWhoReadsTooSlowlyGetsEverythingAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := stage(t)
		fast, slow, late := s.join(""), s.join(""), s.join("")
		synctest.Wait()
		for _, v := range []*viewer{fast, slow, late} {
			frames(v)
		}
		for n := range liveKept + 1 {
			s.change(func(c *scene) { c.functions = []FunctionLive{{Name: "a", Rate: float64(n + 1)}} })
			time.Sleep(time.Second)
			synctest.Wait()
			if n == liveKept-1 {
				if got := late.next(); len(got) != liveKept || !bytes.HasPrefix(got[0], []byte("event: change\n")) {
					t.Errorf("%d frames for who is %d behind", len(got), liveKept)
				}
			}
			if got := fast.next(); len(got) != 1 {
				t.Errorf("second %d: %d frames", n, len(got))
			}
		}
		if got := slow.next(); len(got) != 1 || !bytes.HasPrefix(got[0], []byte("event: all\n")) || !bytes.Contains(got[0], []byte(`"rate":9`)) {
			t.Errorf("%d frames for who is %d behind: %.200s", len(got), liveKept+1, bytes.Join(got, nil))
		}
		for _, v := range []*viewer{fast, slow, late} {
			v.leave()
		}
	})
}

func TestAFunctionSeenFromNearBringsItsInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := stage(t)
		near := func(ids ...string) {
			d := &detail{figures: figuresLive{Sessions: len(ids)}}
			for _, id := range ids {
				d.instances = append(d.instances, InstanceLive{ID: id})
			}
			s.change(func(c *scene) { c.details = map[string]*detail{"a": d} })
		}
		near("1", "2")
		v, other := s.join("a"), s.join("")
		synctest.Wait()
		if got := frames(v); strings.Count(got, `"id"`) != 2 || !strings.Contains(got, `"sessions":2`) || !strings.Contains(got, `"functions":[{"name":"a"`) {
			t.Errorf("first %s", got)
		}
		if got := frames(other); strings.Contains(got, `"id"`) {
			t.Errorf("who watches no function: %s", got)
		}
		near("2")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := frames(v); !strings.Contains(got, `"instances":[],"instances_removed":["1"],"classes"`) || !strings.Contains(got, `"sessions":1`) {
			t.Errorf("1 went: %s", got)
		}
		s.change(func(c *scene) { c.details = nil }) // the function is gone
		time.Sleep(time.Second)
		synctest.Wait()
		if got := frames(v); !strings.Contains(got, `"instances_removed":["2"]`) {
			t.Errorf("it is gone: %s", got)
		}
		v.leave()
		other.leave()
	})
}
