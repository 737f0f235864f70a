package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with the configuration.
//
//nolint:errname // what Load returns is Problems; one of them is a problem, not an error's name
type Problem struct {
	// File it was written in; empty when it came from somewhere else.
	File string
	// Line and Column count from 1; 0 when there is no place to point at.
	Line, Column int
	// Variable is the environment variable it came from, if it did.
	Variable string
	// Override says that it came through the admin API.
	Override bool
	// Path of the key, such as functions.public.retry.attempts. May be empty.
	Path string
	// Message says what is wrong, in one sentence.
	Message string
	// Hint says what to do about it. May be empty.
	Hint string
}

// Error writes `file:line:column: path: message; hint`, leaving out what is empty.
func (p Problem) Error() string {
	var b strings.Builder
	if at := p.place(); at != "" {
		b.WriteString(at + ": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

func (p Problem) place() string {
	switch {
	case p.Variable != "":
		return p.Variable
	case p.Override:
		return "override"
	case p.File != "" && p.Line > 0:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	return p.File
}

// Problems is everything that is wrong, in the order in which it was written.
// Load returns it as its error: get at it with errors.AsType.
//
//nolint:errname // the name says what it is
type Problems []Problem

// Error is one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// maxProblems is more than anybody reads and bounds what a hostile file costs.
const maxProblems = 1000

// collector gathers problems. What is wrong in a `defaults:` block or behind a
// YAML alias shows up once for each use, so a problem is identified by its
// place and text.
type collector struct {
	list []Problem
	seen map[string]bool
	rank map[string]int // file -> order of reading
	more bool
	// at holds the paths that have a problem, beneath also all paths above
	// them: rules about several keys stay silent where one of them is broken.
	at, beneath map[string]bool
}

func newCollector() *collector {
	return &collector{
		seen: map[string]bool{}, rank: map[string]int{},
		at: map[string]bool{}, beneath: map[string]bool{},
	}
}

func (c *collector) add(at Origin, path, message, hint string) {
	p := Problem{
		File: at.File, Line: at.Line, Column: at.Column,
		Variable: at.Variable, Override: at.Kind == OriginOverride,
		Path: path, Message: message, Hint: hint,
	}
	c.mark(path)
	id := p.Error()
	if p.Line > 0 {
		id = p.place() + message
	}
	if c.seen[id] {
		return
	}
	if c.full() {
		c.more = true
		return
	}
	c.seen[id] = true
	c.list = append(c.list, p)
}

// full reports whether further problems are only counted.
func (c *collector) full() bool { return len(c.list) >= maxProblems }

func (c *collector) mark(path string) {
	c.at[path] = true
	for ; path != "" && !c.beneath[path]; path = above(path) {
		c.beneath[path] = true
	}
}

// err returns the sorted problems, or nil when there are none.
func (c *collector) err() error {
	if len(c.list) == 0 {
		return nil
	}
	slices.SortStableFunc(c.list, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(c.layer(a), c.layer(b)),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Variable, b.Variable),
		)
	})
	list := c.list
	if c.more {
		list = append(list, Problem{Message: fmt.Sprintf("has more than %d problems", maxProblems), Hint: "the rest is not shown"})
	}
	return Problems(list)
}

// layer orders problems by where they come from: files as they were read, then
// the environment, then overrides.
func (c *collector) layer(p Problem) int {
	switch {
	case p.Override:
		return len(c.rank) + 2
	case p.Variable != "":
		return len(c.rank) + 1
	}
	return c.rank[p.File]
}
