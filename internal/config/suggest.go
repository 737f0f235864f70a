package config

import (
	"strings"
	"unicode"
)

// unknown reports a key nobody knows, with the key that was probably meant.
func (d *decoder) unknown(p pair, known *fields, path string) {
	hint := ""
	if !d.problems.full() {
		hint = d.meant(p.key, known, path)
	}
	d.problems.add(p.from, joinPath(path, p.key), "is not a known key", hint)
}

func (d *decoder) meant(key string, known *fields, path string) string {
	keys := known.keys()
	if near := nearest(key, keys); near != "" {
		return "did you mean " + near + "?"
	}
	for i := range known.list {
		f := &known.list[i]
		if isBlock(f.typ) && d.catalog.of(f.typ).byKey[key] != nil {
			return "did you mean " + joinPath(joinPath(path, f.key), key) + "?"
		}
	}
	return knownKeys(known)
}

// nearest is the candidate that looks most like word, or "" when none does.
// Case, dashes and underscores do not count. A third of the letters may differ
// from the candidate or from its last words (treshold, failure_threshold); else
// the same beginning is enough (retries, retry).
func nearest(word string, candidates []string) string {
	if len(word) > 64 {
		return ""
	}
	best, distance, folded := "", max(1, len(word)/3)+1, fold(word)
	for _, c := range candidates {
		for tail := c; tail != ""; _, tail, _ = strings.Cut(tail, "_") {
			if d := editDistance(folded, fold(tail)); d < distance {
				best, distance = c, d
			}
		}
	}
	if best != "" || len(folded) < 4 {
		return best
	}
	for _, c := range candidates {
		if strings.HasPrefix(fold(c), folded[:4]) {
			return c
		}
	}
	return ""
}

// fold leaves the letters and digits of a name, in lower case.
func fold(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '-' || c == '_' || c == ' ' {
			return -1
		}
		return unicode.ToLower(c)
	}, s)
}

// editDistance counts the letters to insert, delete, replace or swap with their
// neighbour (optimal string alignment).
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
