package source

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"holdfast/loadtest/httpload"
)

const maxOpenAPI = 16 << 20

type openAPI struct {
	OpenAPI string                    `yaml:"openapi"`
	Paths   map[string]map[string]any `yaml:"paths"`
}

// OpenAPI reads a document of OpenAPI 3, JSON or YAML. Of its operations GET and HEAD are taken whose required parameters
// have an example, a default or an enumeration to take a value from. References are not followed.
func OpenAPI(in io.Reader, target string) (*Requests, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxOpenAPI))
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	var doc openAPI
	if err := yaml.Unmarshal(text, &doc); err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("read the OpenAPI document: %s", line)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.") {
		return nil, fmt.Errorf("read the OpenAPI document: want version 3, not %q", doc.OpenAPI)
	}
	c := newCounter()
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		for _, method := range []string{"get", "head", "post", "put", "patch", "delete"} {
			operation, ok := item[method].(map[string]any)
			if !ok {
				continue
			}
			if method != "get" && method != "head" {
				c.skip("they change something, and a document says nothing of what may be changed")
				continue
			}
			c.operation(strings.ToUpper(method), path, strings.TrimSuffix(target, "/"), append(list(item["parameters"]), list(operation["parameters"])...))
		}
	}
	out, err := c.requests()
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	return out, nil
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func (c *counter) operation(method, path, target string, parameters []any) {
	query := url.Values{}
	filled := path
	r := httpload.Request{Name: method + " " + path, Method: method}
	for _, v := range parameters {
		p, _ := v.(map[string]any)
		name, _ := p["name"].(string)
		value, known := example(p)
		required, _ := p["required"].(bool)
		switch p["in"] {
		case "path":
			if known {
				filled = strings.ReplaceAll(filled, "{"+name+"}", url.PathEscape(value))
			}
			continue
		case "query":
			if known && required {
				query.Set(name, value)
			}
		case "header":
			if known && required {
				r.Header = append(r.Header, httpload.Field{Name: name, Value: value})
			}
		}
		if required && !known {
			c.skip("a parameter they need has no example")
			return
		}
	}
	if strings.ContainsAny(filled, "{}") {
		c.skip("a parameter of their path has no example")
		return
	}
	if r.URL = target + filled; len(query) > 0 {
		r.URL += "?" + query.Encode()
	}
	c.add(r)
}

// example is a value for a parameter: its own, or its schema's.
func example(p map[string]any) (string, bool) {
	schema, _ := p["schema"].(map[string]any)
	for _, from := range []map[string]any{p, schema} {
		for _, key := range []string{"example", "default"} {
			if v, ok := from[key]; ok {
				return fmt.Sprint(v), true
			}
		}
		if l := list(from["enum"]); len(l) > 0 {
			return fmt.Sprint(l[0]), true
		}
	}
	return "", false
}
