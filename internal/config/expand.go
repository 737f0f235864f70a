package config

import (
	"bytes"
	"errors"
	"strings"
)

// expandError is what is wrong with a ${...}.
type expandError struct{ message, hint string }

func (e *expandError) Error() string { return e.message }

// maxExpanded bounds a value after ${...} was replaced.
const maxExpanded = 256 << 10

// expander replaces ${VAR}, ${VAR:-default} and ${file:PATH}; $${ stands for a
// literal ${. Anything else with a $ is left alone.
type expander struct {
	env  map[string]string
	read func(name string) ([]byte, error) // notes the file and bounds its size
}

func (e *expander) expand(text string) (expanded, error) {
	var out strings.Builder
	secret := false
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			out.WriteString(text)
			break
		}
		if i > 0 && text[i-1] == '$' {
			out.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			return expanded{}, &expandError{"has a ${ without its }", "write $${ where a plain ${ is meant"}
		}
		v, err := e.reference(text[i+2 : i+end])
		if err != nil {
			return expanded{}, err
		}
		secret = secret || v.secret
		out.WriteString(text[:i] + v.text)
		text = text[i+end+1:]
		if out.Len() > maxExpanded {
			return expanded{}, &expandError{"is too long once ${...} is replaced", "keep it under 256KiB"}
		}
	}
	return expanded{out.String(), secret}, nil
}

// reference is the value of what stands between ${ and }.
func (e *expander) reference(ref string) (expanded, error) {
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		return e.file(path)
	}
	name, fallback, hasFallback := strings.Cut(ref, ":-")
	if !variableName(name) {
		return expanded{}, &expandError{"has ${" + clip(ref) + "}, which names no variable", "write ${NAME}, ${NAME:-default} or ${file:PATH}, and $${ for a plain ${"}
	}
	if v := e.env[name]; v != "" {
		return expanded{text: v}, nil
	}
	if hasFallback {
		return expanded{text: fallback}, nil
	}
	if _, set := e.env[name]; set {
		return expanded{}, nil
	}
	return expanded{}, &expandError{"needs the environment variable " + name + ", which is not set", "set it, or give a default: ${" + name + ":-value}"}
}

func (e *expander) file(path string) (expanded, error) {
	text, err := e.read(path)
	if err != nil {
		return expanded{}, &expandError{"needs the secret file " + clip(path) + ", which cannot be read: " + reason(err), "check that it exists and that this user may read it"}
	}
	text = bytes.TrimRight(text, "\r\n")
	if bytes.IndexByte(text, 0) >= 0 {
		return expanded{}, &expandError{"needs the secret file " + clip(path) + ", which holds a NUL byte", "a secret file holds one line of text"}
	}
	return expanded{string(text), true}, nil
}

// reason is the innermost part of a file error: the path is named already.
func reason(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return clip(err.Error())
		}
		err = inner
	}
}

func variableName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
