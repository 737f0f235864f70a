package config

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxFileBytes bounds one configuration file.
	maxFileBytes = 1 << 20
	// maxDepth bounds nesting, with aliases followed.
	maxDepth = 64
	// maxNodes bounds what one file holds after merge keys are followed.
	maxNodes = 1 << 20
	// maxSiblingWork bounds the sum of the squared lengths of all block
	// mappings: the YAML parser's time grows with it. 14,000 keys in one block
	// are just allowed.
	maxSiblingWork = 200_000_000
)

// reader turns the text of one file into a tree.
type reader struct {
	file     string
	origin   Origin // of every node when the text is not from a file
	path     string // of the whole text
	problems *collector
	// expand replaces ${...}; nil leaves values as they are.
	expand  func(text string) (expanded, error)
	anchors map[string]anchor
	nodes   int
}

type anchor struct {
	node   *node
	height int
}

// expanded is a value after ${...} was replaced.
type expanded struct {
	text   string
	secret bool
}

// read parses text. What cannot be parsed at all becomes one problem and an
// empty tree.
func (r *reader) read(text []byte) *node {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	// The parser counts some lines twice that end as on Windows.
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	if !r.isText(text) {
		return nil
	}
	file, err := r.parse(string(text))
	if err != nil {
		r.syntax(err)
		return nil
	}
	r.anchors = map[string]anchor{}
	var root *node
	for i, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if i > 0 && root != nil {
			r.problems.add(r.at(doc.Start), r.path, "has a second YAML document", "keep one document in a file and use include for more")
			break
		}
		root, _ = r.node(doc.Body, r.path, 0)
	}
	return root
}

// isText refuses what YAML does not allow anyway, with the place.
func (r *reader) isText(text []byte) bool {
	line, start := 1, 0
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRune(text[i:])
		message := ""
		switch {
		case c == utf8.RuneError && size == 1:
			message = "is not UTF-8 text"
		case c == 0:
			message = "holds a NUL byte"
		case c < ' ' && c != '\n' && c != '\t', c == 0x7f:
			message = fmt.Sprintf("holds the control character %U", c)
		}
		if message != "" {
			at := r.place(line, utf8.RuneCount(text[start:i])+1)
			r.problems.add(at, r.path, message, "save it as plain UTF-8 text")
			return false
		}
		i += size
		if c == '\n' {
			line, start = line+1, i
		}
	}
	return true
}

// parse runs the YAML parser over text whose shape it can digest. The parser is
// not ours: what it panics on is reported like any other syntax error.
func (r *reader) parse(text string) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("cannot be read as YAML")
		}
	}()
	tokens := lexer.Tokenize(text)
	if tk, message := misshapen(tokens); tk != nil {
		return nil, &yaml.SyntaxError{Message: message, Token: tk}
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

func (r *reader) syntax(err error) {
	if e, ok := errors.AsType[yaml.Error](err); ok {
		r.problems.add(r.at(e.GetToken()), r.path, "is not valid YAML: "+clip(e.GetMessage()), "check indentation, quotes and brackets here and on the line before")
		return
	}
	r.problems.add(r.place(1, 1), r.path, clip(err.Error()), "check it with a YAML linter")
}

func (r *reader) at(tk *token.Token) Origin {
	if tk == nil || tk.Position == nil {
		return r.place(1, 1)
	}
	return r.place(tk.Position.Line, tk.Position.Column)
}

func (r *reader) place(line, column int) Origin {
	if r.origin.Kind != OriginDefault {
		return r.origin
	}
	return Origin{Kind: OriginFile, File: r.file, Line: max(1, line), Column: max(1, column)}
}

// node converts one value and returns its height: 1 for a scalar.
func (r *reader) node(in ast.Node, path string, depth int) (*node, int) {
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		return r.tooLarge(in, path), 1
	}
	switch in := in.(type) {
	case *ast.MappingNode:
		return r.mapping(in.Values, r.start(in), path, depth)
	case *ast.MappingValueNode:
		return r.mapping([]*ast.MappingValueNode{in}, r.start(in), path, depth)
	case *ast.SequenceNode:
		return r.list(in, path, depth)
	case *ast.AnchorNode:
		return r.anchor(in, path, depth)
	case *ast.AliasNode:
		return r.alias(in, path, depth)
	case *ast.TagNode:
		return r.tag(in, path, depth)
	case *ast.NullNode:
		return &node{kind: nullNode, from: r.at(in.Token)}, 1
	case *ast.LiteralNode:
		return r.scalar(in.Value.Value, true, in.Start, path), 1
	case *ast.StringNode:
		quoted := in.Token.Type == token.SingleQuoteType || in.Token.Type == token.DoubleQuoteType
		return r.scalar(in.Value, quoted, in.Token, path), 1
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return r.scalar(in.GetToken().Value, false, in.GetToken(), path), 1
	case nil:
		return &node{kind: nullNode, from: r.place(1, 1)}, 1
	}
	r.problems.add(r.at(in.GetToken()), path, "uses a YAML feature that configuration files do not have", "write a plain value, list or block")
	return &node{kind: nullNode, from: r.at(in.GetToken())}, 1
}

func (r *reader) tooLarge(in ast.Node, path string) *node {
	at := r.at(in.GetToken())
	r.problems.add(at, path, fmt.Sprintf("is nested more than %d levels deep or holds more than %d values once aliases are followed", maxDepth, maxNodes), "remove anchors and aliases, or split it")
	return &node{kind: nullNode, from: at}
}

// start is the place of the first key of a block, not of its first colon.
func (r *reader) start(in ast.Node) Origin {
	switch in := in.(type) {
	case *ast.MappingNode:
		if len(in.Values) > 0 && !in.IsFlowStyle {
			return r.start(in.Values[0])
		}
		return r.at(in.Start)
	case *ast.MappingValueNode:
		if in.Key != nil {
			return r.at(in.Key.GetToken())
		}
	}
	return r.at(in.GetToken())
}

func (r *reader) mapping(values []*ast.MappingValueNode, at Origin, path string, depth int) (*node, int) {
	out := &node{kind: mappingNode, from: at}
	height := 0
	lines := make(map[string]Origin, len(values))
	var merges []*node
	for _, v := range values {
		if v.Key != nil && v.Key.IsMergeKey() {
			n, h := r.node(v.Value, path, depth+1)
			merges, height = append(merges, n), max(height, h)
			continue
		}
		key, from := r.key(v.Key)
		if first, twice := lines[key]; twice {
			r.problems.add(from, joinPath(path, key), "is written twice", fmt.Sprintf("the first one is in line %d; remove one of them", first.Line))
			continue
		}
		lines[key] = from
		n, h := r.node(v.Value, joinPath(path, key), depth+1)
		height = max(height, h)
		out.pairs = append(out.pairs, pair{key: key, from: from, value: n})
	}
	for _, m := range merges {
		r.inherit(out, m, lines, path)
	}
	return out, height + 1
}

// key returns the text of a key. Anything but a plain word is a problem later,
// as an unknown key.
func (r *reader) key(in ast.MapKeyNode) (string, Origin) {
	if in == nil {
		return "", r.place(1, 1)
	}
	from := r.at(in.GetToken())
	switch k := in.(type) {
	case *ast.StringNode:
		return k.Value, from
	case *ast.MappingKeyNode:
		if s, ok := k.Value.(*ast.StringNode); ok {
			return s.Value, r.at(s.Token)
		}
	}
	if tk := in.GetToken(); tk != nil {
		return tk.Value, from
	}
	return "", from
}

// inherit adds the pairs of a merge key (`<<: *base`) that out does not have.
func (r *reader) inherit(out, from *node, have map[string]Origin, path string) {
	switch from.kind {
	case listNode:
		for _, item := range from.items {
			if item.kind == mappingNode {
				r.inherit(out, item, have, path)
			}
		}
	case mappingNode:
		for _, p := range from.pairs {
			if r.nodes++; r.nodes > maxNodes {
				return
			}
			if _, ok := have[p.key]; !ok {
				have[p.key] = p.from
				out.pairs = append(out.pairs, p)
			}
		}
	case scalarNode:
		r.problems.add(from.from, joinPath(path, "<<"), "must be an alias of a block, such as *base", "")
	case nullNode:
	}
}

func (r *reader) list(in *ast.SequenceNode, path string, depth int) (*node, int) {
	out := &node{kind: listNode, from: r.at(in.Start)}
	height := 0
	for i, v := range in.Values {
		n, h := r.node(v, path+"["+strconv.Itoa(i)+"]", depth+1)
		height = max(height, h)
		out.items = append(out.items, n)
	}
	return out, height + 1
}

func (r *reader) anchor(in *ast.AnchorNode, path string, depth int) (*node, int) {
	n, h := r.node(in.Value, path, depth)
	if in.Name != nil && in.Name.GetToken() != nil {
		r.anchors[in.Name.GetToken().Value] = anchor{n, h}
	}
	return n, h
}

// alias shares the node of its anchor. An anchor is known only once it is
// complete, so an alias inside its own anchor cannot form a cycle.
func (r *reader) alias(in *ast.AliasNode, path string, depth int) (*node, int) {
	name := ""
	if in.Value != nil && in.Value.GetToken() != nil {
		name = in.Value.GetToken().Value
	}
	a, ok := r.anchors[name]
	if !ok {
		name = clip(name)
		r.problems.add(r.at(in.Start), path, "refers to *"+name+", which is not defined before it", "define it with &"+name+" further up")
		return &node{kind: nullNode, from: r.at(in.Start)}, 1
	}
	if depth+a.height > maxDepth {
		return r.tooLarge(in, path), 1
	}
	return a.node, a.height
}

// tag allows the tags that only repeat what the type of the key says anyway.
func (r *reader) tag(in *ast.TagNode, path string, depth int) (*node, int) {
	switch in.Start.Value {
	case "!!str", "!!int", "!!float", "!!bool", "!!map", "!!seq", "!!null":
		return r.node(in.Value, path, depth)
	}
	r.problems.add(r.at(in.Start), path, "has the YAML tag "+clip(in.Start.Value)+", which means nothing here", "remove the tag")
	return &node{kind: nullNode, from: r.at(in.Start)}, 1
}

func (r *reader) scalar(text string, quoted bool, tk *token.Token, path string) *node {
	out := &node{kind: scalarNode, text: text, quoted: quoted, from: r.at(tk)}
	if r.expand == nil || !strings.Contains(text, "${") {
		return out
	}
	v, err := r.expand(text)
	if err != nil {
		if p, ok := errors.AsType[*expandError](err); ok {
			r.problems.add(out.from, path, p.message, p.hint)
		}
		out.broken = true
		return out
	}
	out.text, out.secret = v.text, v.secret
	return out
}

// joinPath appends a key to a path.
func joinPath(path, key string) string {
	if !plainKey(key) {
		return path + "[" + strconv.Quote(clip(key)) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func plainKey(key string) bool {
	for i := range len(key) {
		c := key[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return key != "" && len(key) <= 128
}
