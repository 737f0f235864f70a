package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	maxFiles       = 256 // read in one Load, included ones counted each time
	maxIncludes    = 16  // files including each other in a row
	maxSecretBytes = 64 << 10
	// pipeTimeout is how long what is read from a pipe or a terminal may take.
	pipeTimeout = 10 * time.Second
)

var (
	errTooLarge  = errors.New("is too large")
	errDirectory = errors.New("it is a directory")
	errSilent    = errors.New("it is a pipe that nobody writes to")
)

// ReadFile reads a configuration or secret file from the file system, as a Load
// does that was given no ReadFile; of a larger one than is allowed, the beginning.
func ReadFile(name string) ([]byte, error) { return readLimited(name, maxFileBytes) }

// readLimited reads at most limit bytes of a file, and one more. Opened the usual way, a pipe without a writer would
// hold up the start, or every later reload, for good.
func readLimited(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	if info.IsDir() {
		return nil, errDirectory
	}
	_ = f.SetReadDeadline(time.Now().Add(pipeTimeout)) // files have none, and need none
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	if len(text) == 0 && info.Mode()&os.ModeNamedPipe != 0 {
		return nil, errSilent
	}
	return text, nil
}

// files reads configuration files and what they include.
type files struct {
	readFile func(name string) ([]byte, error) // nil: the file system
	env      map[string]string
	problems *collector
	merger   *merger
	order    []string // every file read, for Origins
	known    map[string]bool
	count    int
}

func (f *files) bytes(name string, limit int64) ([]byte, error) {
	if !f.known[name] {
		f.known[name] = true
		f.order = append(f.order, name)
	}
	read := f.readFile
	if read == nil {
		read = func(name string) ([]byte, error) { return readLimited(name, limit) }
	}
	text, err := read(name)
	if err == nil && int64(len(text)) > limit {
		err = errTooLarge
	}
	return text, err
}

// load returns the tree of a file, laid over the trees it includes. chain holds
// the files that led to it, outermost first; at is where it was named.
func (f *files) load(name string, chain []string, at Origin) *node {
	if reject, hint := f.refuse(name, chain); reject != "" {
		f.problems.add(at, includePath(chain), reject, hint)
		return nil
	}
	f.count++
	text, err := f.bytes(name, maxFileBytes)
	if err != nil {
		f.unreadable(name, chain, at, err)
		return nil
	}
	if _, known := f.problems.rank[name]; !known {
		f.problems.rank[name] = len(f.problems.rank)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		// An editor or a full disk leaves such a file for a moment; as a
		// configuration it would remove every function.
		f.problems.add(Origin{Kind: OriginFile, File: name}, "", "is empty", "leave the file out if nothing is meant, or write a comment into it")
		return nil
	}
	tree := f.parse(name, text)
	if tree == nil || tree.kind == nullNode {
		return nil
	}
	if tree.kind != mappingNode {
		f.problems.add(tree.from, "", "must be a block of keys, is "+tree.kind.String(), "begin with a key such as functions:")
		return nil
	}
	return f.withIncludes(name, tree, append(slices.Clone(chain), name))
}

func (f *files) refuse(name string, chain []string) (reject, hint string) {
	switch i := slices.Index(chain, name); {
	case i >= 0:
		return "includes itself: " + strings.Join(append(slices.Clone(chain[i:]), name), " -> "), "remove one of these includes"
	case len(chain) >= maxIncludes:
		return fmt.Sprintf("is included through more than %d files", maxIncludes), "include it from further up"
	case f.count >= maxFiles:
		return fmt.Sprintf("would be file number %d", maxFiles+1), fmt.Sprintf("keep it to %d files", maxFiles)
	}
	return "", ""
}

func (f *files) unreadable(name string, chain []string, at Origin, err error) {
	subject := clip(name) + " " // unless the place says it
	if at.Kind == OriginDefault {
		at, subject = Origin{Kind: OriginFile, File: name}, ""
	}
	message, hint := "cannot be read: "+reason(err), "check the name and that this user may read it"
	switch {
	case errors.Is(err, errTooLarge):
		message, hint = "is larger than "+Bytes(maxFileBytes).String(), "split it with include"
	case errors.Is(err, errDirectory):
		message, hint = "is a directory", "name the files in it"
	}
	f.problems.add(at, includePath(chain), subject+message, hint)
}

func includePath(chain []string) string {
	if len(chain) == 0 {
		return ""
	}
	return "include"
}

func (f *files) parse(name string, text []byte) *node {
	e := &expander{env: f.env, read: func(secret string) ([]byte, error) {
		return f.bytes(beside(name, secret), maxSecretBytes)
	}}
	r := reader{file: name, problems: f.problems, expand: e.expand}
	return r.read(text)
}

func (f *files) withIncludes(name string, tree *node, chain []string) *node {
	include := tree.get("include")
	tree = tree.without("include")
	if include == nil || include.value.kind == nullNode {
		return tree
	}
	list := include.value.items
	if include.value.kind == scalarNode {
		list = []*node{include.value}
	}
	if include.value.kind == mappingNode {
		f.problems.add(include.from, "include", "must be a list of files, is a block of keys", "write include: [other.yaml]")
	}
	var under *node
	for i, item := range list {
		if item.broken {
			continue
		}
		if item.kind != scalarNode || item.text == "" {
			f.problems.add(item.from, fmt.Sprintf("include[%d]", i), "must be the name of a file, is "+shown(item, false), "")
			continue
		}
		under = f.merger.document(under, f.load(beside(name, item.text), chain, item.from))
	}
	return f.merger.document(under, tree)
}

// beside resolves a file name relative to the file that names it.
func beside(name, other string) string {
	if filepath.IsAbs(other) {
		return filepath.Clean(other)
	}
	return filepath.Join(filepath.Dir(name), other)
}
