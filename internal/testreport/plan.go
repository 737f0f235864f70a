package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// run does the whole plan below root, in the order a reader wants to learn of mistakes: cheap and certain first. It
// goes on after a failure, so that one run shows everything; an error means the plan itself could not be made.
func (r *report) run(ctx context.Context, root string) error {
	units, parts, err := split(ctx, root)
	if err != nil {
		return err
	}
	r.check(ctx, "vet", root, "go", "vet", "./...")
	r.check(ctx, "lint", root, "make", "--silent", "lint")
	// -count=1: what archtest reads is the source tree, and a cached pass would not see a new package.
	r.suite(ctx, "layers", root, "-count=1", "./internal/archtest")
	r.suite(ctx, "unit tests", root, append([]string{"-race"}, units...)...)
	if names, packages := r.wantPlain(); len(names) > 0 {
		again := "^(" + strings.Join(names, "|") + ")$"
		r.suite(ctx, "without race", root, append([]string{"-count=1", "-run", again}, packages...)...)
	}
	if len(parts) > 0 {
		// One package at a time: these start the real binary and measure it, and must not share two cores. The binary
		// is the one users get, so the race detector would watch the clients only, and slow down what is measured.
		r.suite(ctx, "real parts", root, append([]string{"-count=1", "-p=1", "-timeout=20m"}, parts...)...)
	}
	return r.examples(ctx, root)
}

// split lists the packages of the main module: those tested in isolation, and those below test/ that use real parts.
func split(ctx context.Context, root string) (units, parts []string, err error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("list packages: %w%s", err, stderrOf(err))
	}
	for p := range strings.FieldsSeq(string(out)) {
		switch {
		case strings.HasPrefix(p, "holdfast/test/"):
			parts = append(parts, p)
		case p != "holdfast/internal/archtest":
			units = append(units, p)
		}
	}
	return units, parts, nil
}

// examples tests each module below examples/: they embed the libraries as a stranger's program would.
func (r *report) examples(ctx context.Context, root string) error {
	found, err := filepath.Glob(filepath.Join(root, "examples", "*", "go.mod"))
	if err != nil {
		return fmt.Errorf("list examples: %w", err)
	}
	slices.Sort(found)
	for _, mod := range found {
		dir := filepath.Dir(mod)
		name := "examples/" + filepath.Base(dir)
		r.check(ctx, "vet "+name, dir, "go", "vet", "./...")
		r.suite(ctx, name, dir, "-race", "./...")
	}
	return nil
}
