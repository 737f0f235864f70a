package live

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"holdfast/loadtest"
)

// Config says what is shown, and where.
type Config struct {
	Title  string
	Length time.Duration // of the whole run; 0: it is not known
	Open   bool
	// Throttle takes the changes of the rate that keys ask for. Nil: it is fixed.
	Throttle *loadtest.Throttle
	// MostFactor bounds them: 10.
	MostFactor float64
	// Quiet leaves out the lines of each second where there is no terminal: the load tells of itself by Show.Line.
	Quiet bool

	// The view needs a terminal on both; else there are lines on Output.
	Input   io.Reader
	Output  io.Writer
	Environ []string
}

// Load puts load on something and tells of it. It ends when ctx does.
type Load func(ctx context.Context, show Show) error

// Show is whom a load tells how it goes.
type Show struct {
	Point func(loadtest.Point) // of each second
	// Line stays above the view when it has gone. Nil: there is no view, and whoever has lines prints them.
	Line func(text string)
}

// Run runs a load and shows it. It returns when the load has ended, with its
// error; that the view could not be drawn is no error of a load, which goes on
// without it.
func Run(ctx context.Context, c Config, load Load) error { //nolint:gocritic // the copy is kept
	if c.MostFactor <= 0 {
		c.MostFactor = mostFactor
	}
	if !Terminal(c.Input) || !Terminal(c.Output) {
		lines := &lines{config: &c}
		if c.Quiet {
			return load(ctx, Show{Point: func(loadtest.Point) {}})
		}
		return load(ctx, Show{Point: lines.tell})
	}
	return run(ctx, &c, load)
}

const mostFactor = 10

// Terminal says whether v is one.
func Terminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// framesPerSecond is enough for figures that change once a second and keys.
const framesPerSecond = 10

func run(ctx context.Context, c *Config, load Load) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	view := tea.NewProgram(newScreen(c, stop), tea.WithInput(c.Input), tea.WithOutput(c.Output), tea.WithEnvironment(c.Environ),
		tea.WithFPS(framesPerSecond), tea.WithoutSignalHandler())
	failed := make(chan error, 1)
	go func() {
		err := load(ctx, Show{Point: func(p loadtest.Point) { view.Send(p) }, Line: func(text string) { view.Println(text) }})
		failed <- err
		view.Send(over{})
	}()
	_, drawn := view.Run()
	if drawn != nil {
		_, _ = fmt.Fprintf(c.Output, "the view cannot be drawn: %v\n", drawn) // the load goes on
	}
	return <-failed
}

// over says that the load has ended.
type over struct{}
