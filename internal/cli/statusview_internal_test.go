package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"holdfast/internal/admin"
	"holdfast/internal/event"
)

// watched is a view of so many functions on a terminal without colours.
func watched(functions, width, height int) *statusScreen {
	v := &statusScreen{screen: screen{width: width, terminal: true}, height: height, interval: time.Second}
	l := look{at: time.Now()}
	l.status = admin.Status{Version: "v1", PID: 1, Ready: true, Started: time.Now()}
	for i := range functions {
		l.status.Functions = append(l.status.Functions, admin.FunctionStatus{
			Name: fmt.Sprintf("function-%02d", i), Strategy: "p2c", Breaker: "closed", Instances: admin.InstanceCounts{Total: 2, Available: 2},
			Recent: admin.Recent{RequestsPerSecond: 1.5, P99MS: 20},
		})
	}
	for i := range 40 {
		l.events = append(l.events, event.Event{At: time.Now(), Kind: event.Breaker, Function: fmt.Sprint("f", i), To: "open", Reason: strings.Repeat("because ", 20)})
	}
	v.Update(l)
	return v
}

// drawn checks that a view fills its terminal and no more, and returns it.
func drawn(t *testing.T, v *statusScreen) string {
	t.Helper()
	lines := v.lines()
	if len(lines) != v.height {
		t.Errorf("%d lines on a terminal of %d", len(lines), v.height)
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > v.screen.width {
			t.Errorf("%d characters on a terminal of %d: %s", n, v.screen.width, line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestTheViewFillsTheTerminal(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{80, 24}, {40, 8}, {200, 60}, {100, 12}} {
		for _, functions := range []int{0, 1, 3, 70} {
			v := watched(functions, 80, 24)
			v.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			for _, problems := range []int{0, 1, 50} {
				v.status.Problems = nil
				for i := range problems {
					v.status.Problems = append(v.status.Problems, fmt.Sprintf("problem %d: %s", i, strings.Repeat("very bad ", 20)))
				}
				if text := drawn(t, v); functions > 0 && size[1] >= 24 && (!strings.Contains(text, "function-00") || !strings.Contains(text, "breaker open")) {
					t.Errorf("%v with %d functions:\n%s", size, functions, text)
				}
			}
		}
	}
}

func TestTheViewScrolls(t *testing.T) {
	t.Parallel()
	v := watched(70, 80, 24)
	drawn(t, v)
	press := func(key rune) { v.Update(tea.KeyPressMsg{Code: key, Text: string(key)}) }
	for range 5 {
		press('j')
	}
	if text := drawn(t, v); strings.Contains(text, "function-04 ") || !strings.Contains(text, "function-05 ") {
		t.Errorf("five down:\n%s", text)
	}
	for range 200 {
		press('j')
	}
	if text := drawn(t, v); !strings.Contains(text, "function-69 ") {
		t.Errorf("at the end:\n%s", text)
	}
	press('g')
	if text := drawn(t, v); !strings.Contains(text, "function-00 ") {
		t.Errorf("back at the begin:\n%s", text)
	}
	if _, cmd := v.Update(tea.KeyPressMsg{Code: 'q', Text: "q"}); cmd == nil {
		t.Error("q does not end it")
	}
}

func TestTheViewStaysWhenHoldfastIsRestarted(t *testing.T) {
	t.Parallel()
	v := watched(2, 80, 24)
	v.Update(look{at: time.Now(), err: errors.New("no Holdfast is running\nstart one")})
	if text := drawn(t, v); !strings.Contains(text, "no answer since") || !strings.Contains(text, "asking again") || !strings.Contains(text, "function-01") {
		t.Errorf("while it is gone:\n%s", text)
	}
	back := look{at: time.Now(), started: true}
	back.status = admin.Status{Ready: true, Started: time.Now(), Functions: v.status.Functions}
	v.Update(back)
	if text := drawn(t, v); strings.Contains(text, "no answer") || !strings.Contains(text, "started anew at") {
		t.Errorf("when it is back:\n%s", text)
	}
}
