package soak_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// fate is what a request with a body may have come to.
type fate int

const (
	unknown      fate = iota // no good answer: processed once or not at all
	acknowledged             // processed once
	never                    // the instance cannot have had it whole
)

// book keeps what became of every request, and what was done to the instances.
type book struct {
	tell   func(failure string)
	ledger string

	mu        sync.Mutex
	good      map[string]int // by kind
	cut       int            // answers and streams that a killed instance did not finish
	lost      int            // requests with a body that met a killed or frozen instance
	late      int            // requests with a body that an instance had for longer than the attempt may take
	failed    int
	fates     map[string]fate
	processed map[string]string // pid by id, as the ledger has it
	read      int64             // bytes of the ledger
	killed    map[int]bool
	troubles  []window
	passing   window // of one Holdfast to the next
}

type window struct{ from, to time.Time }

func (w window) meets(from, to time.Time) bool { return from.Before(w.to) && w.from.Before(to) }

func newBook(tell func(string), ledger string) *book {
	return &book{
		tell: tell, ledger: ledger, good: map[string]int{}, fates: map[string]fate{}, processed: map[string]string{}, killed: map[int]bool{},
	}
}

// failuresTold is enough to see what is wrong.
const failuresTold = 100

// fail counts a failure and tells it.
func (b *book) fail(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failLocked(format, args...)
}

func (b *book) failLocked(format string, args ...any) {
	if b.failed++; b.failed <= failuresTold {
		b.tell(time.Now().UTC().Format("15:04:05.000 ") + fmt.Sprintf(format, args...))
	}
}

func (b *book) well(kind string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.good[kind]++
}

// trouble opens a window in which a POST may fail; closing it leaves a second
// for answers on their way.
func (b *book) trouble() (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := len(b.troubles)
	b.troubles = append(b.troubles, window{time.Now(), time.Now().Add(time.Hour)})
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.troubles[i].to = time.Now().Add(time.Second)
	}
}

// kill notes that it kills, sends SIGKILL and waits for the end, which on a busy
// machine can take seconds.
func (b *book) kill(pid int) error {
	defer b.trouble()()
	b.mu.Lock()
	b.killed[pid] = true
	b.mu.Unlock()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	for until := time.Now().Add(20 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			return fmt.Errorf("process %d lives on after SIGKILL", pid)
		}
	}
	return nil
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// freeze stops an instance for a while.
func (b *book) freeze(pid int, length time.Duration) error {
	defer b.trouble()()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(length)
	return syscall.Kill(pid, syscall.SIGCONT)
}

func (b *book) pass(from, to time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.passing = window{from, to}
}

// wasKilled says whether the instance with this pid did not end by itself.
func (b *book) wasKilled(pid int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.killed[pid]
}

// sent is a request under way.
type sent struct {
	kind, id string
	at       time.Time
}

func (s sent) String() string {
	return fmt.Sprintf("%s %s, sent %s, %v ago:", s.kind, s.id, s.at.UTC().Format("15:04:05.000"), time.Since(s.at).Round(time.Millisecond))
}

// problem says what is wrong with an answer, "" if nothing.
func (s sent) problem(a answer, body []byte) string {
	switch {
	case a.status != http.StatusOK:
		return fmt.Sprintf("status %d %q", a.status, bytes.TrimSpace(a.body))
	case a.id != s.id:
		return fmt.Sprintf("the answer is for %q", a.id)
	case a.cut == nil && !bytes.Equal(a.body, body), !bytes.HasPrefix(body, a.body):
		return fmt.Sprintf("the body is wrong: %d bytes, %.60q", len(a.body), a.body)
	}
	return ""
}

// get judges the answer to a GET. It has to be good, unless the instance that
// gave it was killed while it did.
func (b *book) get(s sent, a answer, err error, body []byte) {
	problem := s.problem(a, body)
	switch {
	case err != nil:
		b.fail("%v %v", s, err)
	case problem != "":
		b.fail("%v %s", s, problem)
	case a.cut != nil && b.wasKilled(a.pid):
		b.mu.Lock()
		defer b.mu.Unlock()
		b.cut++
	case a.cut != nil:
		b.fail("%v broke off after %d bytes: %v", s, len(a.body), a.cut)
	default:
		b.well(s.kind)
	}
}

// post judges the answer to a POST. It has to be good, unless an instance was
// killed or frozen meanwhile.
func (b *book) post(s sent, a answer, err error, body []byte) {
	receipt := []byte(receiptOf(s.id, body))
	problem := s.problem(a, receipt)
	if err == nil && problem == "" && a.cut == nil {
		b.fate(s.id, acknowledged)
		b.well(s.kind)
		return
	}
	b.fate(s.id, unknown)
	b.mu.Lock()
	defer b.mu.Unlock()
	excused := slices.ContainsFunc(b.troubles, func(w window) bool { return w.meets(s.at, time.Now()) })
	switch {
	case a.status != http.StatusOK && excused, a.cut != nil && excused:
		b.lost++
	case a.status == http.StatusGatewayTimeout && time.Since(s.at) >= attemptTimeout:
		b.late++
	default:
		b.failLocked("%v %s %v %v", s, problem, err, a.cut)
	}
}

func (b *book) fate(id string, f fate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fates[id] = f
}

// stream judges the end of a stream that was to last longer: its instance was
// killed, or its Holdfast gave way to another one.
func (b *book) stream(s sent, pid int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.killed[pid] || b.passing.meets(s.at, time.Now()) {
		b.cut++
		return
	}
	b.failLocked("%v the stream ended: %v", s, err)
}

// readLedger reads what the instances wrote since the last time.
func (b *book) readLedger() {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, err := os.Open(b.ledger)
	if err != nil {
		b.failLocked("%v", err)
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, b.read, 1<<30))
	if err != nil {
		b.failLocked("read the ledger: %v", err)
		return
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	b.read += int64(whole)
	for line := range strings.Lines(string(text[:whole])) {
		id, pid, _ := strings.Cut(strings.TrimSpace(line), " ")
		if before, twice := b.processed[id]; twice {
			b.failLocked("POST %s was processed twice, by %s and by %s", id, before, pid)
		}
		if b.fates[id] == never {
			b.failLocked("POST %s was processed by %s and cannot have come whole", id, pid)
		}
		b.processed[id] = pid
	}
}

// lateShare is how many of the requests with a body may be late: on a machine
// with other work a process stands still for seconds now and then.
const lateShare = 0.001

// close compares what was answered with what was done.
func (b *book) close() {
	b.readLedger()
	b.mu.Lock()
	defer b.mu.Unlock()
	if float64(b.late) > lateShare*float64(len(b.fates))+1 {
		b.failLocked("%d of %d POST were too late", b.late, len(b.fates))
	}
	for id, pid := range b.processed {
		if _, known := b.fates[id]; !known {
			b.failLocked("POST %s was processed by %s, and nobody sent it", id, pid)
		}
	}
	for id, f := range b.fates {
		_, done := b.processed[id]
		if f == acknowledged && !done {
			b.failLocked("POST %s was acknowledged but is not in the ledger", id)
		}
		if f == never && done {
			b.failLocked("POST %s was processed and cannot have come whole", id)
		}
	}
}

// summary is one line.
func (b *book) summary() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var kinds []string
	n := 0
	for kind, count := range b.good {
		n += count
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, count))
	}
	slices.Sort(kinds)
	return fmt.Sprintf("%d good (%s), %d broken off and %d POST without a good answer by killed or frozen instances, %d POST too late, %d failed",
		n, strings.Join(kinds, ", "), b.cut, b.lost, b.late, b.failed)
}
