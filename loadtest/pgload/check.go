package pgload

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
)

// Check is what a result has to be like. Rows is how many rows were returned or changed: "1", or "1-10". Otherwise it
// looks at the first row: at the column named Column, or the first, in PostgreSQL's text form. Of that it wants Equals,
// Contains or Matches (a regular expression of package regexp), or without any of them that it is there and not NULL.
type Check struct {
	Rows   string
	Column string

	Equals, Contains, Matches string
}

// String says what is wanted.
func (c *Check) String() string {
	of := "the first column"
	switch {
	case c.Rows != "":
		return "rows " + c.Rows
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

// compiled is a Check made ready.
type compiled struct {
	check    Check
	low, top int64
	pattern  *regexp.Regexp
	failed   atomic.Int64
}

func (c *Check) compile() (*compiled, error) {
	k := &compiled{check: *c}
	wants := 0
	for _, w := range []string{c.Rows, c.Equals, c.Contains, c.Matches} {
		if w != "" {
			wants++
		}
	}
	if wants > 1 || c.Rows != "" && c.Column != "" {
		return nil, errors.New("a check wants rows, or one of equals, contains and matches of a column")
	}
	var err error
	if c.Rows != "" {
		low, top, ranged := strings.Cut(c.Rows, "-")
		if !ranged {
			top = low
		}
		var err1, err2 error
		k.low, err1 = strconv.ParseInt(strings.TrimSpace(low), 10, 64)
		k.top, err2 = strconv.ParseInt(strings.TrimSpace(top), 10, 64)
		if err1 != nil || err2 != nil || k.low > k.top || k.low < 0 {
			return nil, fmt.Errorf("%q is no number of rows: want 1 or 1-10", c.Rows)
		}
	}
	if c.Matches != "" {
		if k.pattern, err = regexp.Compile(c.Matches); err != nil {
			return nil, fmt.Errorf("read the regular expression: %w", err)
		}
	}
	return k, nil
}

// result is what checks look at.
type result struct {
	rows    int64
	columns []string
	first   [][]byte // nil: there was no row
}

func (k *compiled) holds(r *result) bool {
	if k.check.Rows != "" {
		return r.rows >= k.low && r.rows <= k.top
	}
	for i, value := range r.first {
		if value == nil || k.check.Column != "" && r.columns[i] != k.check.Column {
			if k.check.Column == "" {
				return false
			}
			continue
		}
		return k.text(string(value))
	}
	return false
}

func (k *compiled) text(value string) bool {
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
