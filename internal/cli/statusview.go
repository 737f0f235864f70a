package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"holdfast/internal/admin"
	"holdfast/internal/event"
)

// viewStatus draws the status over the whole terminal until q or Ctrl-C.
func viewStatus(c *cobra.Command, g *global, w *watcher, first *look, interval time.Duration) error {
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	v := &statusScreen{
		screen: *g.screen(c.OutOrStdout()), height: 24, interval: interval,
		ask: func() tea.Msg { return w.look(ctx) },
	}
	v.seen(first)
	program := tea.NewProgram(v, tea.WithContext(ctx), tea.WithInput(g.env.Stdin), tea.WithOutput(c.OutOrStdout()),
		tea.WithEnvironment(g.env.Environ), tea.WithoutSignalHandler())
	_, err := program.Run()
	return quiet(c, err)
}

// statusScreen is the view: a bubbletea model. One question is under way at a time.
type statusScreen struct {
	screen   screen
	height   int
	interval time.Duration
	ask      func() tea.Msg

	status admin.Status
	at     time.Time     // of status
	lost   error         // why there is no newer one
	anew   time.Time     // when Holdfast was started while it was watched
	events []event.Event // the last, oldest first
	offset int           // functions that are scrolled past
	room   int           // for functions
}

const eventsShown = 200

// due says that it is time for another look.
type due struct{}

func (v *statusScreen) later() tea.Cmd {
	return tea.Tick(v.interval, func(time.Time) tea.Msg { return due{} })
}

// Init implements tea.Model.
func (v *statusScreen) Init() tea.Cmd { return v.later() }

// Update implements tea.Model.
func (v *statusScreen) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	switch m := m.(type) {
	case tea.WindowSizeMsg:
		v.screen.width, v.height = max(m.Width, leastWidth), max(m.Height, leastHeight)
	case due:
		return v, v.ask
	case look:
		v.seen(&m)
		return v, v.later()
	case tea.KeyPressMsg:
		return v, v.key(m.String())
	}
	return v, nil
}

const leastHeight = 8

func (v *statusScreen) seen(l *look) {
	if v.lost = l.err; l.err != nil {
		return
	}
	if l.started {
		v.anew = l.status.Started
	}
	v.status, v.at = l.status, l.at
	v.events = append(v.events, l.events...)
	v.events = v.events[max(len(v.events)-eventsShown, 0):]
}

func (v *statusScreen) key(name string) tea.Cmd {
	switch name {
	case "q", "ctrl+c", "esc":
		return tea.Quit
	case "down", "j":
		v.offset++
	case "up", "k":
		v.offset--
	case "pgdown", "space":
		v.offset += v.room
	case "pgup":
		v.offset -= v.room
	case "home", "g":
		v.offset = 0
	}
	v.offset = min(max(v.offset, 0), max(len(v.status.Functions)-v.room, 0))
	return nil
}

// View implements tea.Model.
func (v *statusScreen) View() tea.View {
	view := tea.NewView(strings.Join(v.lines(), "\n"))
	view.AltScreen = true
	return view
}

// lines are as many as the terminal has: the head and what is wrong on top, what
// happens below, and the functions get what is between.
func (v *statusScreen) lines() []string {
	wrong := v.wrong()
	head := append([]string{v.head(), ""}, wrong...)
	if len(wrong) > 0 {
		head = append(head, "")
	}
	left := v.height - len(head) - 1
	news := min(max(left/3, 3), len(v.events)+1)
	v.room = max(left-news-2, 1) // less the names of the columns and a blank line
	list := append(head, v.functions()...)
	list = append(list, "")
	list = append(list, v.news(max(v.height-len(list)-1, 0))...)
	for len(list) < v.height-1 {
		list = append(list, "")
	}
	return append(list[:v.height-1], v.foot())
}

func (v *statusScreen) head() string {
	s := &v.status
	state := cell{"ready", green}
	switch {
	case v.lost != nil:
		state = cell{"no answer since " + v.at.Local().Format(time.TimeOnly), red}
	case s.Draining:
		state = cell{"shutting down", yellow}
	case !s.Ready:
		state = cell{"not ready", red}
	}
	rates := 0.0
	for i := range s.Functions {
		rates += s.Functions[i].Recent.RequestsPerSecond
	}
	up := (time.Duration(s.UptimeSeconds) * time.Second).String()
	text := fmt.Sprintf("holdfast %s  up %s  %s/s  ", cut(clean(s.Version), 24), up, rate(rates))
	if len(text)+len(state.text) > v.screen.width { // on a narrow terminal the state counts most
		return v.screen.paint(cut(state.text, v.screen.width), state.colour)
	}
	text += v.screen.paint(state.text, state.colour)
	if anew := "  started anew at " + v.anew.Local().Format(time.TimeOnly); !v.anew.IsZero() && v.lost == nil && len(text)+len(anew) <= v.screen.width {
		text += anew
	}
	return text
}

// wrong is what is wrong now, cut to a third of the terminal.
func (v *statusScreen) wrong() []string {
	if v.lost != nil {
		return []string{v.screen.paint(cut("! "+firstLine(v.lost)+"; asking again", v.screen.width), red)}
	}
	var b bytes.Buffer
	if writeWrong(&screen{w: &b, width: v.screen.width}, &v.status) != nil { // a buffer takes all
		return nil
	}
	list := strings.Split(strings.TrimSpace(b.String()), "\n")
	if list[0] == "" {
		return nil
	}
	if most := max(v.height/3, 2); len(list) > most {
		list = append(list[:most-1], fmt.Sprintf("! and %d more: holdfast status", len(list)-most+1))
	}
	for i := range list {
		list[i] = v.screen.paint(cut(list[i], v.screen.width), red)
	}
	return list
}

// From middling and wide on there is room for more columns.
const (
	middling = 72
	wide     = 110
)

// figure is a column of the functions.
type figure struct {
	column

	from int // width of the terminal from where on it is shown
	of   func(f *admin.FunctionStatus) cell
}

func figures() []figure {
	type status = *admin.FunctionStatus
	return []figure{
		{column{name: "FUNCTION", least: 8}, 0, func(f status) cell { return text("%s", f.Name) }},
		{column{name: "INST", right: true}, 0, func(f status) cell { return instancesCell(f.Instances) }},
		{column{name: "BREAKER", least: 3}, 0, func(f status) cell { return stateCell(f.Breaker) }},
		{column{name: "REQ/S", right: true}, 0, func(f status) cell { return text("%s", rate(f.Recent.RequestsPerSecond)) }},
		{column{name: "FAILED", right: true}, 0, failedCell},
		{column{name: "P50", right: true}, middling, func(f status) cell { return text("%s", milliseconds(f.Recent.P50MS)) }},
		{column{name: "P95", right: true}, middling, func(f status) cell { return text("%s", milliseconds(f.Recent.P95MS)) }},
		{column{name: "P99", right: true}, middling, func(f status) cell { return text("%s", milliseconds(f.Recent.P99MS)) }},
		{column{name: "INFL", right: true}, middling, func(f status) cell { return text("%d", f.InFlight) }},
		{column{name: "WAIT", right: true}, middling, func(f status) cell { return text("%d", f.Waiting) }},
		{column{name: "FAILING", right: true}, wide, func(f status) cell { return text("%d", f.Instances.Failed) }},
		{column{name: "RETRIES", right: true}, wide, func(f status) cell { return text("%d", f.Retries) }},
		{column{name: "BUDGET", right: true}, wide, func(f status) cell { return text("%.0f", f.RetryBudgetAvailable) }},
		{column{name: "STRATEGY", least: 8}, wide, func(f status) cell { return text("%s", f.Strategy) }},
	}
}

func failedCell(f *admin.FunctionStatus) cell {
	c := cell{text: share(f.Recent.FailedPercent)}
	if f.Recent.FailedPercent > 0 {
		c.colour = red
	}
	return c
}

func (v *statusScreen) functions() []string {
	v.offset = min(v.offset, max(len(v.status.Functions)-v.room, 0))
	shown := v.status.Functions[v.offset:min(v.offset+v.room, len(v.status.Functions))]
	t, rows := &table{}, make([][]cell, len(shown))
	for _, c := range figures() {
		if c.from > v.screen.width {
			continue
		}
		t.columns = append(t.columns, c.column)
		for i := range shown {
			rows[i] = append(rows[i], c.of(&shown[i]))
		}
	}
	t.rows = rows
	var b bytes.Buffer
	if t.write(&screen{w: &b, width: v.screen.width, colour: v.screen.colour}) != nil { // a buffer takes all
		return nil
	}
	return strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
}

// news is what happened last, the latest at the bottom.
func (v *statusScreen) news(most int) (list []string) {
	flat := screen{width: v.screen.width}
	for i := max(len(v.events)-most, 0); i < len(v.events); i++ {
		e := &v.events[i]
		list = append(list, v.screen.paint(cut(eventLine(&flat, e), v.screen.width), stateColour(e.To)))
	}
	return list
}

func (v *statusScreen) foot() string {
	text := "q quit"
	if hidden := len(v.status.Functions) - v.room; hidden > 0 {
		text += fmt.Sprintf("   ↑↓ scroll: %d to %d of %d functions", v.offset+1, v.offset+v.room, len(v.status.Functions))
	}
	return v.screen.paint(cut(text, v.screen.width), faint)
}
