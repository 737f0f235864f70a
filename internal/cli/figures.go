package cli

import (
	"fmt"
	"time"
)

// milliseconds writes a time in as few letters as tell something.
func milliseconds(v float64) string {
	switch {
	case v <= 0:
		return "-"
	case v < 0.1:
		return "<0.1ms"
	case v < 10:
		return fmt.Sprintf("%.1fms", v)
	case v < 1000:
		return fmt.Sprintf("%.0fms", v)
	default:
		return fmt.Sprintf("%.1fs", v/1000)
	}
}

// age writes how long ago something was: 5s, 12m, 3h, 4d.
func age(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := max(now.Sub(t), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// rate writes requests per second.
func rate(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

// share writes percent; what is there but rounds to nothing shows as <0.1%.
func share(v float64) string {
	switch {
	case v == 0:
		return "0%"
	case v < 0.1:
		return "<0.1%"
	case v < 10:
		return fmt.Sprintf("%.1f%%", v)
	default:
		return fmt.Sprintf("%.0f%%", v)
	}
}

// stateColour is what a state means for people.
func stateColour(state string) colour {
	switch state {
	case "active", "closed":
		return green
	case "recovering", "half_open", "inactive":
		return yellow
	case "failed", "open":
		return red
	default:
		return plain
	}
}

func stateCell(state string) cell { return cell{state, stateColour(state)} }
