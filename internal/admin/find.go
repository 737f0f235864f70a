package admin

import (
	"net/http"
	"strings"

	"holdfast/exchange"
)

// functionsOf returns the functions a request is about: the named one, or all.
func (s *Server) functionsOf(name string) ([]*exchange.Function, error) {
	if name == "" {
		return s.config.Gateway.Functions(), nil
	}
	fn, err := s.function(name)
	if err != nil {
		return nil, err
	}
	return []*exchange.Function{fn}, nil
}

func (s *Server) function(name string) (*exchange.Function, error) {
	if fn := s.config.Gateway.Function(name); fn != nil {
		return fn, nil
	}
	var names []string
	for _, fn := range s.config.Gateway.Functions() {
		names = append(names, fn.Name())
	}
	return nil, refuse(http.StatusNotFound, meant(name, "functions", names), "there is no function %q", name)
}

const maxName = 128

// meant is the hint for a name that does not exist.
func meant(name, what string, names []string) string {
	if len(names) == 0 {
		return "there are no " + what
	}
	best, distance := "", max(2, len(name)/3)+1
	for _, n := range names {
		if len(name) > maxName {
			break // nobody meant that
		}
		if d := editDistance(name, n); d < distance {
			best, distance = n, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	const shown = 8
	if len(names) > shown {
		return what + ": " + strings.Join(names[:shown], ", ") + " ..."
	}
	return what + ": " + strings.Join(names, ", ")
}

// editDistance is how many letters must be added, removed or changed to make
// one word of another.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
