package state_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/test/holdfast"
	"holdfast/test/need"
	"holdfast/test/postgres"
)

const rate = 500 // requests a second

// events is what a running Holdfast says has happened: the ledger.
func events(t *testing.T, p *holdfast.Process) []happened {
	t.Helper()
	var answer struct {
		Events []happened `json:"events"`
	}
	if err := p.API("/api/v1/events?since=0", &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Events
}

type happened struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	Instance string    `json:"instance"`
	To       string    `json:"to"`
}

func (h happened) String() string {
	return fmt.Sprintf("%s %s %s %s", h.At.UTC().Format("15:04:05.000000"), h.Kind, h.Instance, h.To)
}

// stored is the same as the store has it.
func stored(t *testing.T, address string) map[string]int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), "SELECT created_at, kind, instance_id, to_state FROM holdfast_events")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for rows.Next() {
		var h happened
		if err := rows.Scan(&h.At, &h.Kind, &h.Instance, &h.To); err != nil {
			t.Fatal(err)
		}
		all[h.String()]++
	}
	return all
}

func TestPostgreSQLDiesUnderLoadAndNobodyNotices(t *testing.T) {
	need.Plain(t)
	server := postgres.Start(t)
	address := server.Database(t)
	p, file := upWithStore(t, asURL(t, address))
	normal := load(t, p, 6*time.Second)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	crash(t, p) // facts are made while nobody takes them
	without := load(t, p, 6*time.Second)
	crash(t, p)
	ledger := events(t, p)
	time.Sleep(500 * time.Millisecond) // facts are in the spool a few milliseconds later
	if err := p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	again := p.Again(t, "-c", file)
	again.Ready(t, 20*time.Second)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	restarted := time.Now()
	var missing, twice []string
	holdfast.Poll(t, 30*time.Second, "in the store: all that happened", func() bool {
		missing, twice = compare(ledger, stored(t, address))
		if len(missing) > 0 && time.Since(restarted) > 20*time.Second {
			t.Logf("still missing: %v", missing)
		}
		return len(missing) == 0
	})
	if len(twice) > 0 {
		t.Errorf("stored more than once: %v", twice)
	}
	t.Attr("events", fmt.Sprintf("%d, all stored once", len(ledger)))
	t.Attr("p99_store_up", normal.Round(10*time.Microsecond).String())
	t.Attr("p99_store_down", without.Round(10*time.Microsecond).String())
}

// asURL turns the keyword form into a URL.
func asURL(t *testing.T, address string) string {
	t.Helper()
	c, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d", c.User, c.Database, url.QueryEscape(c.Host), c.Port)
}

func compare(ledger []happened, stored map[string]int) (missing, twice []string) {
	for _, h := range ledger {
		h.At = h.At.Truncate(time.Microsecond) // what the stores keep
		switch n := stored[h.String()]; {
		case n == 0:
			missing = append(missing, h.String())
		case n > 1:
			twice = append(twice, h.String())
		}
	}
	return missing, twice
}

func upWithStore(t *testing.T, address string) (*holdfast.Process, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	text := fmt.Sprintf("store: %q\nlog: {access: off}\nfunctions:\n  a:\n    routes: [{path: /api/a/}]\n"+
		"    platform: {process: {instances: 3, command: [%q, demo-function, --name, a, --id, '{id}', --port, '{port}']}}\n",
		address, holdfast.Binary(t))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	return p, file
}

// crash kills one instance and waits until it is back.
func crash(t *testing.T, p *holdfast.Process) {
	t.Helper()
	type instance struct {
		ID      string `json:"id"`
		Status  string `json:"status"`
		Process struct {
			PID int `json:"pid"`
		} `json:"process"`
	}
	list := func() []instance {
		var answer struct {
			Instances []instance `json:"instances"`
		}
		if err := p.API("/api/v1/instances?function=a", &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Instances
	}
	victim := list()[0]
	if err := syscall.Kill(victim.Process.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	holdfast.Poll(t, 10*time.Second, "back", func() bool {
		i := list()[0]
		return i.ID == victim.ID && i.Process.PID != victim.Process.PID && i.Status == "active"
	})
}

// load sends requests at their planned times and returns the p99; every one
// must be answered well, and sooner than somebody who waits for the store.
func load(t *testing.T, p *holdfast.Process, length time.Duration) time.Duration {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	n := int(length.Seconds() * rate)
	took := make([]time.Duration, n)
	failed := make([]error, n)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		planned := start.Add(time.Duration(i) * time.Second / rate)
		time.Sleep(time.Until(planned))
		wg.Go(func() {
			res, err := client.Get(p.Gateway + "/api/a/hello")
			if err == nil {
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					err = fmt.Errorf("answered %d", res.StatusCode)
				}
			}
			took[i], failed[i] = time.Since(planned), err
		})
	}
	wg.Wait()
	for i, err := range failed {
		if err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	slices.Sort(took)
	if longest := took[n-1]; longest > 2*time.Second {
		t.Errorf("a request took %v: calls to the store give up after 3 s", longest)
	}
	return took[n*99/100]
}
