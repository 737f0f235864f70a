package config

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// misshapen looks for what would cost the YAML parser far more time or memory
// than the text is long: deep nesting, and very many keys in one block. It
// returns the token to point at and what is wrong, or nil.
func misshapen(tokens token.Tokens) (*token.Token, string) {
	s := shape{}
	for _, tk := range tokens {
		if !s.take(tk) {
			return tk, fmt.Sprintf("nested more than %d levels deep", maxDepth)
		}
		if s.work > maxSiblingWork {
			return tk, "too many keys in one block"
		}
	}
	return nil, ""
}

// shape follows the nesting of a token stream without building anything.
type shape struct {
	flow   int     // open brackets and braces
	blocks []block // open block collections, outermost first
	marks  int     // anchors, tags and ? in a row
	work   int
}

type block struct{ column, keys int }

func (s *shape) take(tk *token.Token) bool {
	switch tk.Type { //nolint:exhaustive // other tokens do not nest
	case token.SequenceStartType, token.MappingStartType:
		s.flow++
	case token.SequenceEndType, token.MappingEndType:
		s.flow--
	case token.SequenceEntryType:
		if s.flow <= 0 && tk.Position != nil {
			s.open(tk.Position.Column)
		}
	case token.MappingValueType:
		if s.flow <= 0 && tk.Prev != nil && tk.Prev.Position != nil {
			s.key(tk.Prev.Position.Column)
		}
	case token.AnchorType, token.TagType, token.MappingKeyType:
		s.marks++
		return s.marks+s.flow+len(s.blocks) <= maxDepth
	case token.StringType:
		return true // the name of an anchor must not end the row
	}
	s.marks = 0
	return s.flow+len(s.blocks) <= maxDepth
}

// open notes a block collection at column and closes those further in.
func (s *shape) open(column int) {
	for len(s.blocks) > 0 && s.blocks[len(s.blocks)-1].column > column {
		s.blocks = s.blocks[:len(s.blocks)-1]
	}
	if len(s.blocks) == 0 || s.blocks[len(s.blocks)-1].column < column {
		s.blocks = append(s.blocks, block{column: column})
	}
}

// key counts one more key of the block mapping at column. The sum of 1, 3, 5...
// is the square of their number.
func (s *shape) key(column int) {
	s.open(column)
	top := &s.blocks[len(s.blocks)-1]
	top.keys++
	s.work += 2*top.keys - 1
}
