package config

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// prefix begins every variable that sets a key.
const prefix = "HOLDFAST_"

// slackVariable is all that alerts in Slack need: it makes the channel slack.
const slackVariable = prefix + "ALERTS_SLACK_URL"

// named are the variables with a name of their own, and the key each stands for:
// those other platforms set, and a short one.
// LOAD_BALANCER_INSTANCES is another: it makes a function.
func named() []struct{ variable, path string } {
	return []struct{ variable, path string }{
		{"SUPABASE_MIN_CONNECTIONS", "pool.min"},
		{"SUPABASE_MAX_CONNECTIONS", "pool.max"},
		{"DEPLOYMENT_PLATFORM", "platform"},
		{slackVariable, "alerts.channels.slack.slack.url"},
	}
}

const instancesVariable = "LOAD_BALANCER_INSTANCES"

// serviceLink matches what Kubernetes adds to the environment of every pod in a
// namespace with a service called holdfast or holdfast-something.
var serviceLink = regexp.MustCompile(`^HOLDFAST_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)$`)

func isServiceLink(name, value string) bool {
	if !serviceLink.MatchString(name) || strings.Contains(name, "__") {
		return false
	}
	return !strings.HasSuffix(name, "_PORT") || strings.Contains(value, "://") || strings.Contains(name, "_SERVICE_") || strings.Contains(name, "_TCP_") || strings.Contains(name, "_UDP_") || strings.Contains(name, "_SCTP_")
}

// environmentOver lays the environment over the tree: the variables of other
// platforms first, then Holdfast's own, which win.
func (l *loader) environmentOver(tree *node) *node {
	for _, v := range named() {
		if value := l.env[v.variable]; value != "" {
			tree = l.setVariable(tree, v.variable, strings.Split(v.path, "."), value)
		}
	}
	tree = l.instancesOver(tree)
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		rest, ours := strings.CutPrefix(name, prefix)
		value := l.env[name]
		if !ours || value == "" || name == prefix+"DEBUG" || name == slackVariable || slices.Contains(l.options.IgnoreVariables, name) {
			continue
		}
		w := walk{catalog: l.catalog, tree: tree}
		if path := w.path(strings.Split(rest, "__")); path != nil {
			tree = l.setVariable(tree, name, path, value)
		} else if !isServiceLink(name, value) {
			l.problems.add(Origin{Kind: OriginEnvironment, Variable: name}, "", "names no key", w.hint())
		}
	}
	return tree
}

// setVariable lays one value over the tree.
func (l *loader) setVariable(tree *node, name string, path []string, value string) *node {
	from := Origin{Kind: OriginEnvironment, Variable: name}
	n := l.variable(path, value, from)
	if n == nil {
		return tree
	}
	n = nested(path, from, n)
	return l.merger.document(tree, n)
}

// variable reads the text of a variable: as it is for a single value, as a YAML
// or JSON value for a list or block. A list of single values may also be
// written with commas.
func (l *loader) variable(path []string, value string, from Origin) *node {
	f := l.catalog.at(path)
	if f == nil || isScalar(f) {
		return &node{kind: scalarNode, text: value, quoted: true, from: from}
	}
	value = strings.TrimSpace(value)
	if f.Kind() == reflect.Slice && isScalar(f.Elem()) && !strings.HasPrefix(value, "[") && !strings.HasPrefix(value, "- ") {
		list := &node{kind: listNode, from: from}
		for part := range strings.SplitSeq(value, ",") {
			list.items = append(list.items, &node{kind: scalarNode, text: strings.TrimSpace(part), quoted: true, from: from})
		}
		return list
	}
	at := ""
	for _, key := range path {
		at = joinPath(at, key)
	}
	r := reader{origin: from, path: at, problems: l.problems}
	return r.read([]byte(value))
}

// instancesOver makes LOAD_BALANCER_INSTANCES the instances of the function
// `default`, which gets everything unless it has routes already.
func (l *loader) instancesOver(tree *node) *node {
	value := l.env[instancesVariable]
	if value == "" {
		return tree
	}
	from := Origin{Kind: OriginEnvironment, Variable: instancesVariable}
	path := []string{"functions", defaultFunction, "instances"}
	list := l.variable(path, value, from)
	if list == nil {
		return tree
	}
	function := tree.value("functions").value(defaultFunction).without("platform")
	if !written(function, "routes") {
		slash := &node{kind: scalarNode, text: "/", from: from}
		route := &node{kind: mappingNode, from: from, pairs: []pair{{key: "path", from: from, value: slash}}}
		function = function.with("routes", from, &node{kind: listNode, from: from, items: []*node{route}})
	}
	function = function.with("instances", from, list)
	functions := tree.value("functions").with(defaultFunction, from, function)
	return tree.with("functions", from, functions)
}
