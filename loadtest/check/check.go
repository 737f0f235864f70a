// Package check judges answers for the clients of a load test: whether they are what was asked for, and what kind of failure
// it is when there are none.
package check

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"holdfast/loadtest"
)

// Check is what an answer has to be like. It looks at one part: Status, the header line named Header, the value at the
// path JSON, of the result of a query Rows or Column of its first row, or else the body (of a result: the first column).
// Of that it wants Equals, Contains or Matches (a regular expression of package regexp); a Header, JSON or Column without
// any of them only has to be there, and not null.
type Check struct {
	Status string // good ones: "200", "2xx", "200-204", or several with commas
	Header string
	JSON   string // $.items[0].name
	Rows   string // returned or changed: "1", or "1-10"
	Column string // in PostgreSQL's text form

	Equals, Contains, Matches string
}

// Kind is what answers are, and so what a check can look at.
type Kind uint8

// The kinds.
const (
	HTTP    Kind = iota // status, header, json and body
	Message             // json and body
	Result              // rows and columns
)

type part uint8

const (
	partBody part = iota
	partStatus
	partHeader
	partJSON
	partRows
	partColumn
)

// Compiled is a Check made ready. It counts how often it failed and may be used from many goroutines.
type Compiled struct {
	check    Check
	kind     Kind
	part     part
	statuses [][2]int
	rows     [2]int64
	path     path
	pattern  *regexp.Regexp
	failed   atomic.Int64
}

// List is the checks of one kind of request. The zero List wants nothing.
type List []*Compiled

// Compile makes checks of answers of HTTP ready, or says which cannot be.
func Compile(checks []Check) (List, error) { return CompileFor(HTTP, checks) }

// CompileFor makes checks of a kind of answers ready, or says which cannot be.
func CompileFor(kind Kind, checks []Check) (List, error) {
	var list List
	for i := range checks {
		k, err := checks[i].compile(kind)
		if err != nil {
			return nil, fmt.Errorf("read check %d: %w", i+1, err)
		}
		list = append(list, k)
	}
	return list, nil
}

// NeedsBody says that a check looks at the body.
func (l List) NeedsBody() bool {
	return slices.ContainsFunc(l, (*Compiled).needsBody)
}

// Statuses says that a check decides which statuses are good.
func (l List) Statuses() bool {
	return slices.ContainsFunc(l, func(k *Compiled) bool { return k.part == partStatus })
}

// Head judges an answer of HTTP by its head. header says whether a line of the header is what a check wants (see
// Compiled.Wants); rested says that the answer asks for a rest by Retry-After.
func (l List) Head(status int, rested bool, header func(*Compiled) bool) loadtest.Class {
	class := loadtest.OK
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable && rested:
		class = loadtest.RateLimited
	case status >= 400 && !l.Statuses():
		class = loadtest.BadStatus
	}
	for _, k := range l {
		if k.needsBody() {
			continue
		}
		ok := k.part == partStatus && k.hasStatus(status) || k.part == partHeader && header(k)
		switch {
		case !ok && class == loadtest.OK:
			k.failed.Add(1)
			class = loadtest.CheckFailed
		case ok && k.part == partStatus && class == loadtest.RateLimited:
			class = loadtest.OK // it was asked for
		}
	}
	return class
}

// Body judges a body, or its first part when whole is false: that fails checks that need all of it.
func (l List) Body(b []byte, whole bool) loadtest.Class {
	for _, k := range l {
		if k.needsBody() && !k.body(b, whole) {
			k.failed.Add(1)
			return loadtest.CheckFailed
		}
	}
	return loadtest.OK
}

// Row judges the result of a query by how many rows it had and the first of them; no first: there was none. A value
// that is nil is NULL.
func (l List) Row(rows int64, columns []string, first [][]byte) loadtest.Class {
	for _, k := range l {
		if !k.row(rows, columns, first) {
			k.failed.Add(1)
			return loadtest.CheckFailed
		}
	}
	return loadtest.OK
}

func (k *Compiled) row(rows int64, columns []string, first [][]byte) bool {
	at := 0
	switch k.part {
	case partRows:
		return rows >= k.rows[0] && rows <= k.rows[1]
	case partColumn:
		at = slices.Index(columns, k.check.Column)
	case partBody, partStatus, partHeader, partJSON:
	}
	return at >= 0 && at < len(first) && first[at] != nil && k.text(string(first[at]))
}

// AddFailed adds how often each check failed, by its text. Where several checks of one answer fail, the first counts.
func (l List) AddFailed(counts map[string]int64) {
	for _, k := range l {
		if n := k.failed.Load(); n > 0 {
			counts[k.name()] += n
		}
	}
}

// String says what is wanted.
func (c *Check) String() string { return c.of("body") }

// name says what is wanted of the kind of answers that it is for.
func (k *Compiled) name() string {
	if k.kind == Result {
		return k.check.of("the first column")
	}
	return k.check.String()
}

// of says what is wanted; body is what a check looks at that names nothing.
func (c *Check) of(body string) string {
	of := body
	switch {
	case c.Status != "":
		return "status " + c.Status
	case c.Rows != "":
		return "rows " + c.Rows
	case c.Header != "":
		of = "header " + c.Header
	case c.JSON != "":
		of = "json " + c.JSON
	case c.Column != "":
		of = "column " + c.Column
	}
	switch {
	case c.Equals != "":
		return fmt.Sprintf("%s equals %q", of, c.Equals)
	case c.Contains != "":
		return fmt.Sprintf("%s contains %q", of, c.Contains)
	case c.Matches != "":
		return fmt.Sprintf("%s matches %q", of, c.Matches)
	}
	return of + " exists"
}

// fits says whether answers of a kind have what a check looks at.
func (c *Check) fits(kind Kind) error {
	switch {
	case kind == HTTP && count(c.Rows, c.Column) > 0:
		return errors.New("only the result of a query has rows and columns to check")
	case kind == Message && count(c.Status, c.Header, c.Rows, c.Column) > 0:
		return errors.New("a message has neither status nor header, rows nor columns to check")
	case kind == Result && count(c.Status, c.Header, c.JSON) > 0:
		return errors.New("the result of a query has rows and columns to check, and neither status, header nor json")
	case kind == Result && count(c.Rows, c.Column) > 1, kind == Result && c.Rows != "" && count(c.Equals, c.Contains, c.Matches) > 0:
		return errors.New("a check wants rows, or one of equals, contains and matches of a column")
	case count(c.Status, c.Header, c.JSON) > 1:
		return errors.New("a check looks at one of status, header and json")
	case count(c.Equals, c.Contains, c.Matches) > 1:
		return errors.New("a check wants one of equals, contains and matches")
	}
	return nil
}

func (c *Check) compile(kind Kind) (*Compiled, error) {
	k := &Compiled{check: *c, kind: kind}
	err := c.fits(kind)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Rows != "":
		k.part = partRows
		k.rows, err = parseRows(c.Rows)
	case c.Column != "":
		k.part = partColumn
	case c.Status != "":
		k.part = partStatus
		if count(c.Equals, c.Contains, c.Matches) > 0 {
			return nil, errors.New("a status is compared with nothing else")
		}
		k.statuses, err = parseStatuses(c.Status)
	case c.Header != "":
		k.part = partHeader
	case c.JSON != "":
		k.part = partJSON
		k.path, err = parsePath(c.JSON)
	case count(c.Equals, c.Contains, c.Matches) == 0 && kind != Result:
		return nil, errors.New("the check wants nothing: give status, header, json, equals, contains or matches")
	}
	if err == nil && c.Matches != "" {
		if k.pattern, err = regexp.Compile(c.Matches); err != nil {
			err = fmt.Errorf("read the regular expression: %w", err)
		}
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

func count(list ...string) int {
	n := 0
	for _, v := range list {
		if v != "" {
			n++
		}
	}
	return n
}

// parseRows reads 1, or 1-10.
func parseRows(text string) (rows [2]int64, err error) {
	low, top, ranged := strings.Cut(text, "-")
	if !ranged {
		top = low
	}
	var err1, err2 error
	rows[0], err1 = strconv.ParseInt(strings.TrimSpace(low), 10, 64)
	rows[1], err2 = strconv.ParseInt(strings.TrimSpace(top), 10, 64)
	if err1 != nil || err2 != nil || rows[0] > rows[1] || rows[0] < 0 {
		return rows, fmt.Errorf("%q is no number of rows: want 1 or 1-10", text)
	}
	return rows, nil
}

// parseStatuses reads "2xx,304,400-404".
func parseStatuses(text string) ([][2]int, error) {
	var list [][2]int
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		low, high, ranged := strings.Cut(word, "-")
		if len(word) == 3 && strings.HasSuffix(strings.ToLower(word), "xx") {
			low, high, ranged = word[:1]+"00", word[:1]+"99", true
		}
		if !ranged {
			high = low
		}
		from, err1 := strconv.Atoi(strings.TrimSpace(low))
		to, err2 := strconv.Atoi(strings.TrimSpace(high))
		if err1 != nil || err2 != nil || from < 100 || to > 999 || from > to {
			return nil, fmt.Errorf("%q is no status: want 200, 2xx or 200-204", word)
		}
		list = append(list, [2]int{from, to})
	}
	return list, nil
}

func (k *Compiled) needsBody() bool { return k.part == partBody || k.part == partJSON }

func (k *Compiled) hasStatus(status int) bool {
	return slices.ContainsFunc(k.statuses, func(s [2]int) bool { return status >= s[0] && status <= s[1] })
}

// Wants says whether a line of a header is the one that the check looks at, and as it has to be.
func (k *Compiled) Wants(name, value string) bool {
	return strings.EqualFold(name, k.check.Header) && k.text(value)
}

func (k *Compiled) text(value string) bool {
	switch {
	case k.check.Equals != "":
		return value == k.check.Equals
	case k.check.Contains != "":
		return strings.Contains(value, k.check.Contains)
	case k.pattern != nil:
		return k.pattern.MatchString(value)
	}
	return true
}

// body judges a body, or its first part when whole is false: that fails what needs all of it.
func (k *Compiled) body(b []byte, whole bool) bool {
	switch {
	case k.part == partJSON:
		value, ok := k.path.find(b)
		return whole && ok && k.text(value)
	case k.check.Equals != "":
		return whole && string(b) == k.check.Equals
	case k.check.Contains != "":
		return bytes.Contains(b, []byte(k.check.Contains))
	}
	return k.pattern.Match(b)
}
