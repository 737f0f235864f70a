package template

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"holdfast/loadtest"
)

// Feed is a table whose rows are given to requests in turn, or by chance when Random is set. The choice depends on the
// number of the request and the seed only.
type Feed struct {
	Columns []string
	Rows    [][]string
	Random  bool
}

// maxFeed bounds the rows of a feed: it is held in memory.
const maxFeed = 1_000_000

// ReadFeed reads a table in CSV, the first line of which names the columns. Errors name the line.
func ReadFeed(in io.Reader) (*Feed, error) {
	r := csv.NewReader(in)
	r.TrimLeadingSpace = true
	columns, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the feed is empty: want the names of the columns in its first line")
	case err != nil:
		return nil, fmt.Errorf("read the names of the feed's columns: %w", err)
	}
	f := &Feed{Columns: columns}
	for {
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return f, f.check()
		case err != nil:
			return nil, fmt.Errorf("read the feed: %w", err)
		case len(f.Rows) == maxFeed:
			return nil, fmt.Errorf("the feed has more than %d rows, which is what is held in memory", maxFeed)
		}
		f.Rows = append(f.Rows, row)
	}
}

// check refuses what could break out of the place it is put in.
func (f *Feed) check() error {
	if len(f.Rows) == 0 {
		return errors.New("the feed has no rows")
	}
	for i, row := range f.Rows {
		if len(row) != len(f.Columns) {
			return fmt.Errorf("row %d of the feed has %d values for %d columns", i+1, len(row), len(f.Columns))
		}
		for _, v := range row {
			if strings.ContainsFunc(v, control) {
				return fmt.Errorf("row %d of the feed holds a control character, which no header may", i+1)
			}
		}
	}
	return nil
}

func (f *Feed) column(name string) int {
	if f == nil {
		return -1
	}
	return slices.Index(f.Columns, name)
}

func (f *Feed) value(s *loadtest.Shot, column int) string {
	i := uint64(s.Seq) //nolint:gosec // it is not negative
	if f.Random {
		i = s.Random()
	}
	return f.Rows[i%uint64(len(f.Rows))][column]
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
