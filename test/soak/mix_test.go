package soak_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	seed        = 4     // the traffic is the same in every run
	mostAtOnce  = 1000  // requests under way; more means that the gateway hangs
	smallUpload = 8_000 // fits the buffer of a poll loop with its head
)

// load sends all kinds of requests at planned times, whatever became of those
// before (open model).
type load struct {
	client *client
	book   *book
	names  []string // of the functions

	underWay atomic.Int64
	wg       sync.WaitGroup
}

// kind is one sort of request; share is its part of all.
type kind struct {
	name  string
	share int
	send  func(*load, context.Context, sent, *rand.Rand)
}

func kinds() []kind {
	return []kind{
		{"GET", 360, (*load).get},
		{"POST", 200, (*load).post},
		{"10 KB down", 80, large(10_000)},
		{"10 KB up", 80, upload(10_000)},
		{"1 MB down", 12, large(1_000_000)},
		{"1 MB up", 12, upload(1_000_000)},
		{"chunked", 40, (*load).chunked},
		{"slow upload", 20, (*load).slowUpload},
		{"expect", 30, (*load).expect},
		{"HTTP/1.0", 40, (*load).old},
		{"HEAD", 20, (*load).head},
		{"pipelined", 30, (*load).pipeline},
		{"no route", 10, (*load).nowhere},
		{"left waiting", 10, (*load).leaveWaiting},
		{"left uploading", 15, (*load).leaveUploading},
		{"left downloading", 8, (*load).leaveDownloading},
		{"left acknowledged", 8, (*load).leaveAnswer},
		{"events", 8, (*load).events},
		{"socket", 8, (*load).socket},
	}
}

// run sends rate requests a second until stop ends, and waits for their ends.
func (l *load) run(stop context.Context, rate int) {
	defer l.wg.Wait()
	all := 0
	for _, k := range kinds() {
		all += k.share
	}
	start := time.Now()
	random := rand.New(rand.NewPCG(seed, 0))
	for n := 0; ; n++ {
		at := start.Add(time.Duration(n) * time.Second / time.Duration(rate))
		select {
		case <-stop.Done():
			return
		case <-time.After(time.Until(at)):
		}
		if l.underWay.Load() >= mostAtOnce {
			l.book.fail("%d requests are under way: the gateway hangs", mostAtOnce)
			return
		}
		k, own := choose(random.IntN(all)), rand.New(rand.NewPCG(seed, random.Uint64()))
		l.underWay.Add(1)
		l.wg.Go(func() {
			defer l.underWay.Add(-1)
			k.send(l, stop, sent{kind: k.name, id: "r" + strconv.Itoa(n), at: time.Now()}, own)
		})
	}
}

func choose(n int) kind {
	for _, k := range kinds() {
		if n -= k.share; n < 0 {
			return k
		}
	}
	panic("shares do not add up")
}

// path is one of a function; some GETs go to the route that moves.
func (l *load) path(rnd *rand.Rand, rest string) string {
	if rnd.IntN(8) == 0 {
		return "/moving/" + rest
	}
	return "/" + l.names[rnd.IntN(len(l.names))] + "/" + rest
}

func blobPath(n int) string { return "blob?n=" + strconv.Itoa(n) }

func (l *load) get(_ context.Context, s sent, rnd *rand.Rand) {
	l.getBlob(s, l.path(rnd, ""), rnd.IntN(600))
}

func (l *load) getBlob(s sent, path string, n int) {
	a, err := l.client.ask(loops, http.MethodGet, head(http.MethodGet, path+blobPath(n), s.id, ""))
	l.book.get(s, a, err, blobOf(s.id, n))
}

func large(n int) func(*load, context.Context, sent, *rand.Rand) {
	return func(l *load, _ context.Context, s sent, rnd *rand.Rand) { l.getBlob(s, l.path(rnd, ""), n) }
}

func (l *load) head(_ context.Context, s sent, rnd *rand.Rand) {
	n := rnd.IntN(20_000)
	a, err := l.client.ask(loops, http.MethodHead, head(http.MethodHead, l.path(rnd, blobPath(n)), s.id, ""))
	if err == nil && a.length != int64(n) {
		err = fmt.Errorf("the head says %d bytes, not %d", a.length, n)
	}
	l.book.get(s, a, err, nil)
}

func (l *load) nowhere(_ context.Context, s sent, _ *rand.Rand) {
	a, err := l.client.ask(loops, http.MethodGet, head(http.MethodGet, "/nowhere", s.id, ""))
	if err != nil || a.status != http.StatusNotFound || a.pid != 0 {
		l.book.fail("%v not 404 but %d, %v", s, a.status, err)
		return
	}
	l.book.well(s.kind)
}

// old is a client of HTTP/1.0, which can take no chunks.
func (l *load) old(_ context.Context, s sent, rnd *rand.Rand) {
	k, err := l.dial()
	if err != nil {
		l.book.fail("%v %v", s, err)
		return
	}
	defer k.Close()
	n := rnd.IntN(20_000)
	request := strings.Replace(head(http.MethodGet, l.path(rnd, blobPath(n)), s.id, ""), "HTTP/1.1", "HTTP/1.0", 1)
	if _, err := io.WriteString(k, request); err != nil {
		l.book.fail("%v %v", s, err)
		return
	}
	a, err := k.read(http.MethodGet)
	if err == nil && !a.last {
		err = fmt.Errorf("the connection is to stay open")
	}
	l.book.get(s, a, err, blobOf(s.id, n))
}

func (l *load) postPath(rnd *rand.Rand) string {
	return "/" + l.names[rnd.IntN(len(l.names))] + "/post"
}

func lengthOf(n int) string { return "Content-Length: " + strconv.Itoa(n) + "\r\n" }

func (l *load) post(_ context.Context, s sent, rnd *rand.Rand) {
	l.send(s, loops, rnd, rnd.IntN(300))
}

func upload(n int) func(*load, context.Context, sent, *rand.Rand) {
	return func(l *load, _ context.Context, s sent, rnd *rand.Rand) {
		t := loops
		if n > 16_000 {
			t = rest
		}
		l.send(s, t, rnd, n)
	}
}

// send sends head and body in one piece.
func (l *load) send(s sent, t tier, rnd *rand.Rand, n int) {
	body := blobOf(s.id, n)
	a, err := l.client.ask(t, http.MethodPost, head(http.MethodPost, l.postPath(rnd), s.id, lengthOf(n))+string(body))
	l.book.post(s, a, err, body)
}

// inParts sends the parts with pauses between them and reads the answer. What
// cannot be written may have been answered early.
func (l *load) inParts(s sent, body []byte, pause time.Duration, parts []string) {
	k, err := l.client.take(rest)
	if err != nil {
		l.book.post(s, answer{}, err, body)
		return
	}
	for i, part := range parts {
		if i > 0 {
			time.Sleep(pause)
		}
		if _, err := io.WriteString(k, part); err != nil {
			break
		}
	}
	a, err := k.read(http.MethodPost)
	l.book.post(s, a, err, body)
	if err != nil {
		k.Close()
		return
	}
	l.client.put(k, a)
}

func (l *load) chunked(_ context.Context, s sent, rnd *rand.Rand) {
	body := blobOf(s.id, rnd.IntN(200_000))
	parts := []string{head(http.MethodPost, l.postPath(rnd), s.id, "Transfer-Encoding: chunked\r\n")}
	for left := body; ; {
		n := min(len(left), 1+rnd.IntN(40_000))
		if n == 0 {
			parts = append(parts, "0\r\n\r\n")
			break
		}
		parts = append(parts, fmt.Sprintf("%x\r\n%s\r\n", n, left[:n]))
		left = left[n:]
	}
	l.inParts(s, body, time.Duration(rnd.IntN(10))*time.Millisecond, parts)
}

// slowUpload is small but comes late, on both sides of the time a loop waits.
func (l *load) slowUpload(_ context.Context, s sent, rnd *rand.Rand) {
	body := blobOf(s.id, 1+rnd.IntN(smallUpload))
	half := len(body) / 2
	l.inParts(s, body, time.Duration(rnd.IntN(120))*time.Millisecond, []string{
		head(http.MethodPost, l.postPath(rnd), s.id, lengthOf(len(body))), string(body[:half]), string(body[half:]),
	})
}

// expect sends the body only after 100 Continue.
func (l *load) expect(_ context.Context, s sent, rnd *rand.Rand) {
	body := blobOf(s.id, rnd.IntN(50_000)+1)
	k, err := l.client.take(rest)
	if err != nil {
		l.book.post(s, answer{}, err, body)
		return
	}
	if _, err := io.WriteString(k, head(http.MethodPost, l.postPath(rnd), s.id, "Expect: 100-continue\r\n"+lengthOf(len(body)))); err != nil {
		k.Close()
		l.book.post(s, answer{}, err, body)
		return
	}
	a, err := k.read(http.MethodPost)
	if err == nil && a.status == http.StatusContinue {
		if _, err = k.Write(body); err == nil {
			a, err = k.read(http.MethodPost)
		}
	} else {
		a.last = true // the body was not sent
	}
	l.book.post(s, a, err, body)
	if err != nil {
		k.Close()
		return
	}
	l.client.put(k, a)
}

// pipeline sends five requests at once; the third has a body. What stands
// behind an answer that closes the connection must not have been processed.
func (l *load) pipeline(_ context.Context, s sent, rnd *rand.Rand) {
	k, err := l.client.take(loops)
	if err != nil {
		l.book.fail("%v %v", s, err)
		return
	}
	var all strings.Builder
	const withBody, requests = 2, 5
	each := make([]sent, requests)
	body := blobOf(s.id, rnd.IntN(300))
	for i := range each {
		each[i] = sent{kind: s.kind, id: s.id + "." + strconv.Itoa(i), at: s.at}
		if i == withBody {
			all.WriteString(head(http.MethodPost, l.postPath(rnd), each[i].id, lengthOf(len(body))) + string(body))
		} else {
			all.WriteString(head(http.MethodGet, l.path(rnd, blobPath(100*i)), each[i].id, ""))
		}
	}
	if _, err := io.WriteString(k, all.String()); err != nil {
		k.Close()
		l.book.fail("%v %v", s, err)
		return
	}
	var a answer
	for i := range each {
		method := http.MethodGet
		if i == withBody {
			method = http.MethodPost
		}
		if a, err = k.read(method); i == withBody {
			l.book.post(each[i], a, err, body)
		} else {
			l.book.get(each[i], a, err, blobOf(each[i].id, 100*i))
		}
		if err != nil || a.last || a.cut != nil {
			if i < withBody {
				l.book.fate(each[withBody].id, never)
			}
			k.Close()
			return
		}
	}
	l.client.put(k, a)
}

// dial opens a connection for one request.
func (l *load) dial() (*conn, error) {
	k, err := l.client.take(loops)
	if err == nil {
		k.uses = requestsEach
	}
	return k, err
}

// leaveWith sends, waits and leaves, half of the times with a reset.
func (l *load) leaveWith(s sent, rnd *rand.Rand, request string, wait time.Duration) {
	k, err := l.dial()
	if err != nil {
		l.book.fail("%v %v", s, err)
		return
	}
	defer k.Close()
	if _, err := io.WriteString(k, request); err != nil {
		l.book.fail("%v %v", s, err)
		return
	}
	time.Sleep(wait)
	if rnd.IntN(2) == 0 {
		k.reset()
	}
	l.book.well(s.kind)
}

func (l *load) leaveWaiting(_ context.Context, s sent, rnd *rand.Rand) {
	l.leaveWith(s, rnd, head(http.MethodGet, l.path(rnd, "slow"), s.id, ""), time.Duration(rnd.IntN(80))*time.Millisecond)
}

// leaveUploading leaves in the middle of a body, small or large.
func (l *load) leaveUploading(_ context.Context, s sent, rnd *rand.Rand) {
	n := smallUpload
	if rnd.IntN(2) == 0 {
		n = 300_000
	}
	l.book.fate(s.id, never)
	request := head(http.MethodPost, l.postPath(rnd), s.id, lengthOf(n)) + string(blobOf(s.id, 1+rnd.IntN(n-1)))
	l.leaveWith(s, rnd, request, time.Duration(rnd.IntN(200))*time.Millisecond)
}

func (l *load) leaveDownloading(_ context.Context, s sent, rnd *rand.Rand) {
	l.leaveWith(s, rnd, head(http.MethodGet, l.path(rnd, blobPath(5_000_000)), s.id, ""), time.Duration(rnd.IntN(80))*time.Millisecond)
}

// leaveAnswer has sent everything and leaves before it hears about it.
func (l *load) leaveAnswer(_ context.Context, s sent, rnd *rand.Rand) {
	l.book.fate(s.id, unknown)
	body := string(blobOf(s.id, 500))
	l.leaveWith(s, rnd, head(http.MethodPost, l.postPath(rnd), s.id, lengthOf(len(body)))+body, time.Duration(rnd.IntN(3))*time.Millisecond)
}
