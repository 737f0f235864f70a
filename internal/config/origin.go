package config

import "strings"

// OriginKind names the layer a value came from.
type OriginKind uint8

// The layers, lowest first.
const (
	OriginDefault OriginKind = iota
	OriginFile
	OriginEnvironment
	OriginOverride
)

// String returns default, file, environment or override.
func (k OriginKind) String() string {
	switch k {
	case OriginFile:
		return "file"
	case OriginEnvironment:
		return "environment"
	case OriginOverride:
		return "override"
	case OriginDefault:
	}
	return "default"
}

// Origin is where a value came from.
type Origin struct {
	Kind OriginKind
	// File, Line and Column are set for OriginFile.
	File         string
	Line, Column int
	// Variable is set for OriginEnvironment.
	Variable string
}

// String writes `file holdfast.yaml:12:7`, `environment HOLDFAST_LISTEN`, `default`, `override`.
func (o Origin) String() string {
	switch o.Kind {
	case OriginFile:
		return "file " + Problem{File: o.File, Line: o.Line, Column: o.Column}.place()
	case OriginEnvironment:
		return "environment " + o.Variable
	case OriginDefault, OriginOverride:
	}
	return o.Kind.String()
}

// Origins tells for every key where its value came from. It is safe for
// concurrent use once Load has returned it.
type Origins struct {
	of    map[string]Origin
	files []string
	stale []string
}

// Of returns where the value at path came from. A path nobody wrote is a
// default. List elements are counted: functions.public.instances[0].weight.
func (o *Origins) Of(path string) Origin {
	if o == nil {
		return Origin{}
	}
	return o.of[path]
}

// Files lists every file that was read, includes and secret files too, once
// each and in the order of reading: what a reload has to watch.
func (o *Origins) Files() []string { return o.files }

// Stale lists the overrides that were left out because their function is in no
// other layer any more. They do not keep the rest from loading.
func (o *Origins) Stale() []string { return o.stale }

// at is the best place to point at for path: its own, or that of the nearest
// key above it that somebody wrote.
func (o *Origins) at(path string) Origin {
	for path != "" {
		if from, ok := o.of[path]; ok {
			return from
		}
		path = above(path)
	}
	return Origin{}
}

// above is the path of the block or list that path is in.
func above(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// written reports whether somebody wrote the key at path.
func (o *Origins) written(path string) bool {
	_, ok := o.of[path]
	return ok
}
