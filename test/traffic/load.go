package traffic

import (
	"strconv"
	"sync"
	"time"
)

// Request is one request of a load.
type Request struct{ Method, Path string }

// Result is what became of a request.
type Result struct {
	Request
	ID     string // sent as X-Ledger-Id
	Status int
	Body   string
	Err    error
	Took   time.Duration // since the planned time
	At     time.Duration // the planned time
}

// Load is an open-model load: a request that is late does not hold up those
// after it.
type Load struct {
	Rate int // requests a second
	// Next says what the n-th request is.
	Next func(n int) Request
	// Prefix goes before each number to make the ids.
	Prefix string
}

// Run sends until stop is closed and returns what became of every request.
func (l Load) Run(c *Client, stop <-chan struct{}) []Result {
	defer c.Close()
	var mu sync.Mutex
	var all []Result
	var wg sync.WaitGroup
	start := time.Now()
	for n := 0; ; n++ {
		at := time.Duration(n) * time.Second / time.Duration(l.Rate)
		select {
		case <-stop:
			wg.Wait()
			return all
		case <-time.After(time.Until(start.Add(at))):
		}
		wg.Go(func() {
			r := Result{Request: l.Next(n), ID: l.Prefix + strconv.Itoa(n), At: at}
			r.Status, r.Body, r.Err = c.Do(r.Method, r.Path, r.ID)
			r.Took = time.Since(start.Add(at))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, r)
		})
	}
}
