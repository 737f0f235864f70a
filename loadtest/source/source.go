// Package source makes the requests of a load test from what is there already: the access log of a server, the HAR file
// of a browser, an OpenAPI document.
//
// Requests that are the same become one with a weight. What cannot be sent again, or is too rare to be measured by
// itself, is left out, and Requests.Skipped says so: a test that leaves out the slow half of the traffic must not look
// like one that has it.
package source

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
)

// Requests is what a source came to.
type Requests struct {
	HTTP      []httpload.Request
	Endpoints []loadtest.Endpoint // one for each request, with its weight
	// Skipped says in sentences what was left out and why, most of it first.
	Skipped []string
}

// MaxRequests is how many different requests are measured apart, and maxReplayed of a Replay, where each that is left out is
// missing at its time.
const (
	MaxRequests = 100
	maxReplayed = 500
)

// maxLine bounds a line or a name that comes from outside.
const maxLine = 64 << 10

// counter counts requests that are the same.
type counter struct {
	order   []string
	of      map[string]*counted
	skipped map[string]int
	most    int // that are kept
}

type counted struct {
	request httpload.Request
	n       int
	at      int32 // in order, then in what is kept; less than 0: it was left out
}

func newCounter() *counter {
	return &counter{of: map[string]*counted{}, skipped: map[string]int{}, most: MaxRequests}
}

// add counts a request. It returns nil when it cannot be sent.
func (c *counter) add(r httpload.Request) *counted { //nolint:gocritic // it is kept
	r.Verbatim = true // what looks like a variable in it is none
	key := r.Method + " " + r.URL + "\n" + r.Body
	if k := c.of[key]; k != nil {
		k.n++
		return k
	}
	if _, err := httpload.New(httpload.Config{Requests: []httpload.Request{r}}); err != nil {
		c.skip("they cannot be sent as they stand")
		return nil
	}
	k := &counted{request: r, n: 1}
	c.of[key] = k
	c.order = append(c.order, key)
	return k
}

func (c *counter) skip(why string) { c.skipped[why]++ }

// requests are the most frequent, in the order they came.
func (c *counter) requests() (*Requests, error) {
	if len(c.order) == 0 {
		return nil, fmt.Errorf("there is no request in it that can be sent%s", c.reasons())
	}
	frequent := slices.Clone(c.order)
	slices.SortStableFunc(frequent, func(a, b string) int { return cmp.Compare(c.of[b].n, c.of[a].n) })
	for _, key := range frequent[min(c.most, len(frequent)):] {
		c.skipped[fmt.Sprintf("only the %d most frequent are measured", c.most)] += c.of[key].n
		c.of[key].at = -1
		delete(c.of, key)
	}
	out := &Requests{}
	names := map[string]int{}
	for _, key := range c.order {
		k := c.of[key]
		if k == nil {
			continue
		}
		name := k.request.Name
		if names[name]++; names[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, names[name])
		}
		k.request.Name, k.at = name, int32(len(out.HTTP)) //nolint:gosec // most is small
		out.HTTP = append(out.HTTP, k.request)
		out.Endpoints = append(out.Endpoints, loadtest.Endpoint{Name: name, Weight: k.n})
	}
	for _, why := range c.sorted() {
		out.Skipped = append(out.Skipped, fmt.Sprintf("%d requests were left out: %s", c.skipped[why], why))
	}
	return out, nil
}

func (c *counter) sorted() []string {
	var list []string
	for why := range c.skipped {
		list = append(list, why)
	}
	slices.SortFunc(list, func(a, b string) int {
		return cmp.Or(cmp.Compare(c.skipped[b], c.skipped[a]), cmp.Compare(a, b))
	})
	return list
}

func (c *counter) reasons() string {
	if len(c.skipped) == 0 {
		return ""
	}
	return ": " + strings.Join(c.sorted(), ", ")
}

// safe says that a request changes nothing by its method (RFC 9110, 9.2.1).
func safe(method string) bool { return method == "GET" || method == "HEAD" || method == "OPTIONS" }
