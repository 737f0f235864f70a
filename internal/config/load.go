package config

import (
	"path/filepath"
	"reflect"
	"strings"
)

// Options says what to load.
type Options struct {
	// Files in the order they are merged. None: the other layers alone.
	Files []string
	// Environ is the environment as os.Environ returns it. It gives HOLDFAST_
	// and the other variables, and the values of ${VAR}. Nil: an empty one.
	Environ []string
	// IgnoreVariables are HOLDFAST_ variables that name no key and belong to
	// somebody else, besides HOLDFAST_DEBUG.
	IgnoreVariables []string
	// Overrides is the highest layer. A key is a path with dots
	// (functions.public.retry.attempts) or the first part of one; a value is
	// what JSON decodes to, blocks as map[string]any.
	Overrides map[string]any
	// Base lies below the files, in place of the built-in defaults: see
	// ForTarget and ForCommand. Its values count as defaults.
	Base *Config
	// ReadFile reads a file; nil reads the file system. It must not return
	// much more than is asked for: what is longer than 1 MiB is refused.
	ReadFile func(name string) ([]byte, error)
}

// Load reads all layers. Its error is Problems, with everything that is wrong;
// Config is nil then, but Origins is still there and knows the files to watch.
func Load(o Options) (*Config, *Origins, error) {
	l := newLoader(o)
	tree := l.tree()
	config := l.decode(tree)
	l.origins.files = l.files.order
	if err := l.problems.err(); err != nil {
		return nil, l.origins, err
	}
	return config, l.origins, nil
}

// loader holds what the steps of one Load share.
type loader struct {
	options  Options
	env      map[string]string
	catalog  catalog
	problems *collector
	merger   *merger
	files    *files
	origins  *Origins
}

func newLoader(o Options) *loader {
	l := &loader{
		options: o, env: environment(o.Environ), catalog: catalog{},
		problems: newCollector(),
		origins:  &Origins{of: map[string]Origin{}},
	}
	l.merger = &merger{catalog: l.catalog, left: maxMergedPairs}
	l.files = &files{
		readFile: o.ReadFile, env: l.env, problems: l.problems, merger: l.merger,
		known: map[string]bool{},
	}
	return l
}

func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && name != "" {
			env[name] = value
		}
	}
	return env
}

// tree lays all layers over each other.
func (l *loader) tree() *node {
	tree := l.base()
	for _, name := range l.options.Files {
		tree = l.merger.document(tree, l.files.load(filepath.Clean(name), nil, Origin{}))
	}
	tree = l.environmentOver(tree)
	return l.overridesOver(tree)
}

// base is the tree of Options.Base: what differs from the built-in defaults.
func (l *loader) base() *node {
	if l.options.Base == nil {
		return nil
	}
	e := encoder{catalog: l.catalog, sparse: true}
	return e.config(l.options.Base)
}

// decode lays `defaults` under each function, fills a Config from the tree, and
// checks what no single key shows.
func (l *loader) decode(tree *node) *Config {
	tree = l.withDefaults(tree, tree.value("defaults"))
	if l.merger.exhausted() {
		l.problems.add(Origin{}, "", "is too large once includes and defaults are merged", "use fewer keys in defaults, or fewer functions")
		return nil
	}
	d := &decoder{
		catalog: l.catalog, problems: l.problems, origins: l.origins,
		secrets: map[string]bool{}, templates: map[template]reflect.Value{},
	}
	doc := document{}
	l.catalog.fill(reflectOf(&doc), false)
	if tree != nil {
		d.structure(tree, reflectOf(&doc), "", Origin{})
	}
	config := &doc.Config
	if len(d.secrets) > 0 {
		config.secrets = d.secrets
	}
	s := settler{config: config, origins: l.origins, problems: l.problems}
	s.settle()
	return config
}

// withDefaults lays the block `defaults` under every function.
func (l *loader) withDefaults(tree, defaults *node) *node {
	functions := tree.get("functions")
	if defaults == nil || defaults.kind != mappingNode || functions == nil || functions.value.kind != mappingNode {
		return tree
	}
	out := *functions.value
	out.pairs = make([]pair, 0, len(functions.value.pairs))
	for _, p := range functions.value.pairs {
		if p.value.kind == mappingNode || p.value.kind == nullNode {
			p.value = l.merger.merge(defaults, p.value, reflect.TypeFor[Function]())
		}
		out.pairs = append(out.pairs, p)
	}
	return tree.with("functions", functions.from, &out)
}

func written(n *node, key string) bool {
	v := n.value(key)
	return v != nil && v.kind != nullNode
}

// reflectOf returns the settable struct behind a pointer.
func reflectOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }
