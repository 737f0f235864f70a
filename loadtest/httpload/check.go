package httpload

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"holdfast/internal/http1"
)

// Check is what an answer has to be like. It looks at one part: Status, the header line named Header, the value at the
// path JSON, or else the body. Of that it wants Equals, Contains or Matches (a regular expression of package regexp); a
// Header or JSON without any of them only has to be there.
type Check struct {
	Status string // good ones: "200", "2xx", "200-204", or several with commas
	Header string
	JSON   string // $.items[0].name

	Equals, Contains, Matches string
}

type section uint8

const (
	partBody section = iota
	partStatus
	partHeader
	partJSON
)

// compiled is a Check made ready.
type compiled struct {
	Check
	part     section
	statuses [][2]int
	path     path
	pattern  *regexp.Regexp
	failed   *atomic.Int64
}

// Failed says how often each check failed, by its text. Where several checks of one answer fail, the first counts.
func (c *Client) Failed() map[string]int64 {
	counts := map[string]int64{}
	for i := range c.requests {
		for j := range c.requests[i].checks {
			k := &c.requests[i].checks[j]
			if n := k.failed.Load(); n > 0 {
				counts[k.String()] += n
			}
		}
	}
	return counts
}

// String says what is wanted.
func (c *Check) String() string {
	of := "body"
	switch {
	case c.Status != "":
		return "status " + c.Status
	case c.Header != "":
		of = "header " + c.Header
	case c.JSON != "":
		of = "json " + c.JSON
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

func (c *Check) compile() (compiled, error) {
	k := compiled{Check: *c, failed: new(atomic.Int64)}
	if count(c.Status, c.Header, c.JSON) > 1 {
		return k, errors.New("a check looks at one of status, header and json")
	}
	if count(c.Equals, c.Contains, c.Matches) > 1 {
		return k, errors.New("a check wants one of equals, contains and matches")
	}
	var err error
	switch {
	case c.Status != "":
		k.part = partStatus
		if count(c.Equals, c.Contains, c.Matches) > 0 {
			return k, errors.New("a status is compared with nothing else")
		}
		k.statuses, err = parseStatuses(c.Status)
	case c.Header != "":
		k.part = partHeader
	case c.JSON != "":
		k.part = partJSON
		k.path, err = parsePath(c.JSON)
	case count(c.Equals, c.Contains, c.Matches) == 0:
		return k, errors.New("the check wants nothing: give status, header, json, equals, contains or matches")
	}
	if err == nil && c.Matches != "" {
		if k.pattern, err = regexp.Compile(c.Matches); err != nil {
			err = fmt.Errorf("read the regular expression: %w", err)
		}
	}
	return k, err
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

func (k *compiled) needsBody() bool { return k.part == partBody || k.part == partJSON }

// head judges an answer by its head.
func (k *compiled) head(r *http1.Response) bool {
	if k.part == partHeader {
		return k.anyHeader(r)
	}
	for _, s := range k.statuses {
		if r.Status() >= s[0] && r.Status() <= s[1] {
			return true
		}
	}
	return false
}

func (k *compiled) anyHeader(r *http1.Response) bool {
	for name, value := range r.Fields() {
		if strings.EqualFold(name, k.Header) && k.text(value) {
			return true
		}
	}
	return false
}

func (k *compiled) text(value string) bool {
	switch {
	case k.Equals != "":
		return value == k.Equals
	case k.Contains != "":
		return strings.Contains(value, k.Contains)
	case k.pattern != nil:
		return k.pattern.MatchString(value)
	}
	return true
}

// body judges a body, or its first part when whole is false: that fails what needs all of it.
func (k *compiled) body(b []byte, whole bool) bool {
	switch {
	case k.part == partJSON:
		value, ok := k.path.find(b)
		return whole && ok && k.text(value)
	case k.Equals != "":
		return whole && string(b) == k.Equals
	case k.Contains != "":
		return bytes.Contains(b, []byte(k.Contains))
	}
	return k.pattern.Match(b)
}
