package swarm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/swarm"

	"holdfast/internal/platform"
)

func template(image string) api.TaskSpec {
	return api.TaskSpec{ContainerSpec: &api.ContainerSpec{Image: image}}
}

// at is a service that runs an image, and whose spec before had another.
func at(t *testing.T, image, before string) *service {
	t.Helper()
	s := &service{}
	s.ID, s.Spec.TaskTemplate = "id", template(image)
	text, err := json.Marshal(&s.Spec)
	if err != nil {
		t.Fatal(err)
	}
	s.spec = text
	if before != "" {
		s.PreviousSpec = &api.ServiceSpec{TaskTemplate: template(before)}
		if s.previous, err = json.Marshal(s.PreviousSpec); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (l *ledger) saw(t *testing.T, proven bool, images ...string) {
	t.Helper()
	for _, i := range images {
		s := template(i)
		l.see(version(&s), proven, at(t, i, "").spec)
	}
}

func TestTheVersionBeforeIsTheLastThatWasProven(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		fill          func(l *ledger)
		present, prev string
		want          string // image, or empty: none
	}{
		"nothing is known":                {func(*ledger) {}, "b", "", ""},
		"the swarm knows it":              {func(*ledger) {}, "b", "a", "a"},
		"the swarm knows a scale":         {func(l *ledger) { l.saw(t, true, "a", "b") }, "b", "b", "a"},
		"the last one hardly ran":         {func(l *ledger) { l.saw(t, true, "a"); l.saw(t, false, "b") }, "c", "b", "a"},
		"none is proven":                  {func(l *ledger) { l.saw(t, false, "a", "b") }, "c", "", "b"},
		"an older one came again":         {func(l *ledger) { l.saw(t, true, "a", "b", "a") }, "c", "", "a"},
		"more than are kept":              {func(l *ledger) { l.saw(t, true, "a", "b", "c", "d", "e") }, "f", "", "e"},
		"what was undone stays undone":    {func(l *ledger) { l.saw(t, true, "a"); l.undo(new(template("b")), 1) }, "a", "b", ""},
		"what was undone and ran again":   {func(l *ledger) { l.undo(new(template("b")), 1); l.saw(t, true, "b") }, "c", "", "b"},
		"the service is another one":      {func(l *ledger) { l.saw(t, true, "a"); l.Service = "other" }, "b", "", ""},
		"the present one is the only one": {func(l *ledger) { l.saw(t, true, "b") }, "b", "b", ""},
	} {
		l := ledger{Service: "id"}
		x.fill(&l)
		l, err := readLedger(l.write()) // as after a restart
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.before(at(t, x.present, x.prev))
		if x.want == "" {
			if !errors.Is(err, platform.ErrNoEarlier) {
				t.Errorf("%s: %s, %v", name, got, err)
			}
			continue
		}
		if err != nil || !strings.Contains(string(got), fmt.Sprintf("%q", x.want)) {
			t.Errorf("%s: %s, %v, not %s", name, got, err, x.want)
		}
	}
}

func TestANumberNobodyHereOrderedHasAnotherOwner(t *testing.T) {
	t.Parallel()
	now := time.Now()
	o := orders{mine: []order{{3, now}, {4, now}, {9, now.Add(time.Second)}}}
	for n, x := range []struct {
		number int
		after  time.Duration
		owned  bool
	}{
		{2, 0, false},          // the first look
		{4, 0, false},          // ordered here, and 3 was overtaken
		{3, time.Second, true}, // so that this is somebody else's
		{3, time.Minute, true}, // and stays so
		{3, time.Hour, false},  // for a while
		{9, time.Hour, true},   // an order of an hour ago is in nobody's hands
		{9, 2 * time.Hour, false},
	} {
		if got := o.see("id", x.number, now.Add(x.after)); (got != "") != x.owned {
			t.Errorf("look %d at %d instances: %q", n, x.number, got)
		}
	}
	if got := o.see("another", 1, now.Add(2*time.Hour)); got != "" {
		t.Errorf("a service that was made anew has %q", got)
	}
}

func TestSetLeavesTheRestAsItIs(t *testing.T) {
	t.Parallel()
	const was = `{"A":{"x":12345678901234567890,"Unknown":[1.50,{"z":null}]},"Mode":{"Replicated":{"Replicas":1,"More":true}},"Z":"<&>"}`
	got, err := set(json.RawMessage(was), 7, "Mode", "Replicated", "Replicas")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"A":{"x":12345678901234567890,"Unknown":[1.50,{"z":null}]}`, `"More":true`, `"Replicas":7`} {
		if !strings.Contains(string(got), part) {
			t.Errorf("%s is not in %s", part, got)
		}
	}
	var z struct{ Z string }
	if err := json.Unmarshal(got, &z); err != nil || z.Z != "<&>" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := set(json.RawMessage(`{"Mode":{"Replicated":{}}}`), 7, "Mode", "Replicated", "Replicas"); err != nil || string(got) != `{"Mode":{"Replicated":{"Replicas":7}}}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := set(json.RawMessage(`{"Mode":1}`), 7, "Mode", "Replicated"); err == nil {
		t.Error("a number was taken for an object")
	}
}

func TestUsageIsOfWhatAnInstanceMayUse(t *testing.T) {
	t.Parallel()
	now := time.Now()
	before, after := sample{now, time.Second}, sample{now.Add(2 * time.Second), 2 * time.Second}
	for _, x := range []struct{ got, want float64 }{
		{after.percent(before, 1), 50},
		{after.percent(before, 0.5), 100},
		{after.percent(before, 2), 25},
		{after.percent(sample{}, 1), -1},
		{before.percent(before, 1), -1},
		{sample{now.Add(time.Second), 0}.percent(before, 1), -1}, // another container
		{memory(&container.MemoryStats{Usage: 60, Limit: 100, Stats: map[string]uint64{"inactive_file": 10}}), 50},
		{memory(&container.MemoryStats{Usage: 60, Limit: 100, Stats: map[string]uint64{"total_inactive_file": 70}}), 0},
		{memory(&container.MemoryStats{Usage: 60, Limit: 100}), 60},
		{memory(&container.MemoryStats{}), -1},
	} {
		if x.got != x.want {
			t.Errorf("%g %%, not %g %%", x.got, x.want)
		}
	}
}

func TestAContainerIsKnownByItsLabels(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ task, name, want string }{
		{"gi18epdehngqi3z5xg2544c8z", "web.12.gi18epdehngqi3z5xg2544c8z", "12-gi18epdehngq"},
		{"abc", "a.b.3.abc", "3-abc"},
		{"abc", "web.node.abc", ""}, // of a service in mode global
		{"", "web.1.", ""},
	} {
		if got := instanceOf(map[string]string{labelTask: x.task, labelName: x.name}); got != x.want {
			t.Errorf("%s is %q, not %q", x.name, got, x.want)
		}
	}
}

func TestErrorsOfTheEngineSayTheWayOut(t *testing.T) {
	t.Parallel()
	e := &engine{host: "unix:///s", service: "web"}
	for _, x := range []struct {
		err  error
		says string
		is   error
	}{
		{&fs.PathError{Op: "dial", Path: "/s", Err: fs.ErrPermission}, "no permission to use unix:///s: run Holdfast as a user of the group of the socket", nil},
		{refused(http.StatusInternalServerError, []byte(`{"message":"rpc error: code = Unknown desc = update out of sequence"}`)), "another version", errStale},
		{refused(http.StatusNotFound, []byte(`{"message":"service web not found"}`)), "`docker service ls`", platform.ErrGone},
		{refused(http.StatusForbidden, []byte("<html>no</html>")), "a proxy before the engine has to allow services", nil},
		{refused(http.StatusServiceUnavailable, []byte(`{"message":"rpc error: The swarm does not have a leader."}`)), "cannot be asked or changed now: rpc error: The swarm does not have a leader.", nil},
		{refused(http.StatusBadRequest, []byte(`{"message":"invalid mount"}`)), "the Docker Engine at unix:///s: invalid mount", nil},
	} {
		got := e.explain(x.err)
		if !strings.Contains(got.Error(), x.says) || x.is != nil && !errors.Is(got, x.is) {
			t.Errorf("%v is told as %v", x.err, got)
		}
	}
}
