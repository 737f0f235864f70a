package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"holdfast/internal/admin"
)

func written(t *testing.T, table *table, s screen) []string {
	t.Helper()
	var b bytes.Buffer
	s.w = &b
	if err := table.write(&s); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func TestColumnsAreAlignedAndLongCellsAreCut(t *testing.T) {
	t.Parallel()
	table := &table{columns: []column{{name: "NAME", least: 6}, {name: "N", right: true}, {name: "WHY", least: 5}}}
	table.add(text("a"), text("1"), text("because of reasons that fill the line"))
	table.add(text("a-long-name"), text("200"), text(""))
	got := written(t, table, screen{width: 30})
	want := []string{
		"NAME           N  WHY",
		"a              1  because of …",
		"a-long-name  200",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTablesFitEightyColumnsWhateverTheNames(t *testing.T) {
	t.Parallel()
	now := time.Now()
	long := strings.Repeat("très-long-", 7)
	tables := map[string]*table{
		"status": statusTable(&admin.Status{Functions: []admin.FunctionStatus{{
			Name: long, Breaker: "half_open", Instances: admin.InstanceCounts{Total: 10000, Available: 9999}, InFlight: 12345, Waiting: 4096,
			Recent: admin.Recent{RequestsPerSecond: 123456, FailedPercent: 100, P50MS: 59999, P99MS: 60000},
		}}}),
		"instances": instancesTable(&admin.Instances{Instances: []admin.Instance{{
			Function: long, ID: long, Status: "recovering", Reason: long, Since: now.Add(-time.Hour), SharePercent: 100, InFlight: 12345, P99MS: 60000,
		}}}, now),
		"breakers": breakersTable(&admin.Breakers{Breakers: []admin.Breaker{{
			Function: long, State: "half_open", Reason: long, Since: now, FailureCount: 100000, FailureThreshold: 1000000,
		}}}, now),
		"requests": requestsTable(&admin.Requests{Requests: []admin.Request{{
			ID: long, At: now, Function: long, Method: "PROPFIND", Path: long, Status: 503, TookMS: 60000, Reason: long, Attempts: make([]admin.Attempt, 11),
		}}}),
	}
	for name, table := range tables {
		for _, line := range written(t, table, screen{width: defaultWidth}) {
			if n := utf8.RuneCountInString(line); n > defaultWidth {
				t.Errorf("%s: %d characters: %s", name, n, line)
			}
		}
	}
}

func TestColourIsForTerminalsOnly(t *testing.T) {
	t.Parallel()
	table := &table{columns: []column{{name: "STATE"}}}
	table.add(stateCell("open"))
	if got := written(t, table, screen{width: 80})[1]; got != "open" {
		t.Errorf("without a terminal: %q", got)
	}
	if got := written(t, table, screen{width: 80, colour: true})[1]; got != "\x1b[31mopen\x1b[0m " && got != "\x1b[31mopen\x1b[0m" {
		t.Errorf("with colour: %q", got)
	}
	g := &global{env: &Environment{}}
	if s := g.screen(&bytes.Buffer{}); s.colour || s.terminal || s.width != 80 {
		t.Errorf("a buffer is taken for a terminal: %+v", s)
	}
}

func TestWhatClientsSentCannotMoveTheCursor(t *testing.T) {
	t.Parallel()
	if got := clean("/a\x1b[2J\u009b31m\u202eb\r\tü…"); got != "/a?[2J?31m?b??ü…" {
		t.Errorf("%q", got)
	}
}

func TestExplanationsAreWrappedOnATerminalOnly(t *testing.T) {
	t.Parallel()
	const line = "  who says what about it and since when"
	if got := (&screen{width: 16}).wrap(line); got != line {
		t.Errorf("elsewhere: %q", got)
	}
	const want = "  who says what\n      about it\n      and since\n      when"
	if got := (&screen{width: 16, terminal: true}).wrap(line); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFiguresAreShort(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	for _, c := range []struct{ got, want string }{
		{milliseconds(0), "-"},
		{milliseconds(0.04), "<0.1ms"},
		{milliseconds(9.96), "10.0ms"},
		{milliseconds(250.4), "250ms"},
		{milliseconds(61_000), "61.0s"},
		{age(time.Time{}, now), "-"},
		{age(now.Add(-59*time.Second), now), "59s"},
		{age(now.Add(-3*time.Hour), now), "3h"},
		{age(now.Add(-100*time.Hour), now), "4d"},
		{age(now.Add(time.Hour), now), "0s"},
		{rate(0), "0"},
		{rate(12.34), "12.3"},
		{rate(1234.5), "1234"},
		{share(0), "0%"},
		{share(0.01), "<0.1%"},
		{share(3.21), "3.2%"},
		{share(99.9), "100%"},
		{counted(1, "change"), "1 change"},
		{counted(0, "change"), "0 changes"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestTheDataDirectoryComesFromFlagThenEnvironment(t *testing.T) {
	t.Parallel()
	g := &global{env: &Environment{}}
	if got := g.dataDirOf(); got != "./holdfast-data" {
		t.Errorf("default: %s", got)
	}
	g.env.Environ = []string{"HOLDFAST_DATA_DIR=/one", "HOLDFAST_DATA_DIR=/two"}
	if got := g.dataDirOf(); got != "/two" {
		t.Errorf("environment: %s", got)
	}
	g.dataDir = "/three"
	if got := g.dataDirOf(); got != "/three" {
		t.Errorf("flag: %s", got)
	}
}
