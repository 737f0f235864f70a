package platform_test

import (
	"encoding/json"
	"testing"

	"holdfast/internal/platform"
)

func TestEachStateIsWrittenAndReadBackByItsName(t *testing.T) {
	t.Parallel()
	want := map[platform.State]string{
		platform.Starting: "starting", platform.Running: "running", platform.Stopping: "stopping",
		platform.Stopped: "stopped", platform.Gone: "gone", platform.CrashLoop: "crash_loop",
	}
	for state, name := range want {
		text, err := json.Marshal(platform.Instance{State: state})
		if err != nil {
			t.Fatal(err)
		}
		var back platform.Instance
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if back.State != state || state.String() != name {
			t.Errorf("state %d is called %q and read back as %v, want %q", state, state, back.State, name)
		}
	}
}

func TestAnUnknownStateIsRefusedWhenRead(t *testing.T) {
	t.Parallel()
	var s platform.State
	if err := s.UnmarshalText([]byte("asleep")); err == nil {
		t.Error("an unknown state was accepted")
	}
	if got := platform.State(99).String(); got != "state(99)" {
		t.Errorf("an unknown state is printed as %q", got)
	}
}
