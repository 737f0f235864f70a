package demo

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// misbehaving counts the request and does to it what its query and the
// instance's switch ask for; what remains is answered by next.
func (in *instance) misbehaving(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in.served.Add(1)
		in.open.Add(1)
		defer in.open.Add(-1)
		m, problem := parseMischief(r.URL.Query())
		if problem != "" {
			in.refuse(w, http.StatusBadRequest, problem)
			return
		}
		if s := in.switchedNow(); s != nil {
			s.applyTo(&m)
		}
		if in.delay(w, r, m) && in.disturb(w, m) {
			next(w, r)
		}
	}
}

// delay does what takes time or memory; false: the request is over.
func (in *instance) delay(w http.ResponseWriter, r *http.Request, m mischief) bool {
	burn(r.Context(), m.burn)
	if !in.memory.hold(m.hold, m.lasting) {
		in.refuse(w, http.StatusBadRequest, fmt.Sprintf("hold=%d would make this instance hold more than %d MiB; wait until earlier ones are over", m.hold, maxHold>>20))
		return false
	}
	return wait(r.Context(), m.slow)
}

// disturb gives another answer than the request deserves; true: it did not.
func (in *instance) disturb(w http.ResponseWriter, m mischief) bool {
	switch {
	case m.crash:
		select {
		case in.crash <- struct{}{}:
		default: // somebody was first
		}
		panic(http.ErrAbortHandler)
	case m.drop && !m.sized:
		cut(w)
	case m.fail != 0:
		in.refuse(w, m.fail, fmt.Sprintf("failed with %d on request", m.fail))
	case m.sized:
		in.fill(w, m)
	default:
		return true
	}
	return false
}

// wait says whether the time passed with the client still there.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// burn keeps one CPU busy.
func burn(ctx context.Context, d time.Duration) {
	var block [4096]byte
	for end := time.Now().Add(d); time.Now().Before(end) && ctx.Err() == nil; {
		sum := sha256.Sum256(block[:])
		block[0] = sum[0]
	}
}

// cut resets the connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 resets the stream
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // then the close is a reset
	}
	_ = conn.Close()
}

// fill sends a body of the size asked for, or half of it when told to drop.
func (in *instance) fill(w http.ResponseWriter, m mischief) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(m.size, 10))
	left := m.size
	if m.drop {
		left /= 2
	}
	chunk := make([]byte, min(left, 32<<10))
	for i := range chunk {
		chunk[i] = 'a' + byte(i%26)
	}
	for left > 0 {
		n, err := w.Write(chunk[:min(left, int64(len(chunk)))])
		if err != nil {
			return
		}
		left -= int64(n)
	}
	if m.drop {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// ballast is memory held on request.
type ballast struct {
	mu     sync.Mutex // guards what follows
	total  int64
	blocks map[*[]byte]*time.Timer
}

// hold allocates and touches n bytes for a while; false: it is too much.
func (b *ballast) hold(n int64, d time.Duration) bool {
	if n == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.total+n > maxHold {
		return false
	}
	b.total += n
	block := make([]byte, n)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	if b.blocks == nil {
		b.blocks = make(map[*[]byte]*time.Timer)
	}
	b.blocks[&block] = time.AfterFunc(d, func() { b.free(&block) })
	return true
}

func (b *ballast) free(block *[]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.blocks[block]; ok {
		delete(b.blocks, block)
		b.total -= int64(len(*block))
	}
}

func (b *ballast) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, timer := range b.blocks {
		timer.Stop()
	}
	b.blocks, b.total = nil, 0
}
