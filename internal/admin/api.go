package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"holdfast/internal/admin/access"
	"holdfast/internal/control"
	"holdfast/internal/store"
)

// api is everything that is described by OpenAPI.
type api struct {
	huma.API

	server *Server
	mux    *patterns
}

// useOurErrors makes huma answer with Error. It has no other place for that
// than two variables of its package.
var useOurErrors = sync.OnceFunc(func() { //nolint:gochecknoglobals // it guards globals of another package
	huma.NewError = newError
	huma.NewErrorWithContext = func(_ huma.Context, status int, message string, errs ...error) huma.StatusError {
		return newError(status, message, errs...)
	}
})

// newError turns what huma found into an Error. What cannot be understood is
// 400 whatever is wrong with it, and names the field.
func newError(status int, message string, errs ...error) huma.StatusError {
	if status == http.StatusUnprocessableEntity || status == http.StatusUnsupportedMediaType {
		status = http.StatusBadRequest
	}
	if message == "validation failed" {
		message = "the request cannot be understood"
	}
	e := &Error{Status: status, Message: message}
	for _, err := range errs {
		detailed, ok := errors.AsType[*huma.ErrorDetail](err)
		if !ok {
			if err != nil {
				e.Message += ": " + access.Mask(err.Error())
			}
			continue
		}
		e.Problems = append(e.Problems, control.Problem{Field: fieldOf(detailed), Message: access.Mask(detailed.Message)})
	}
	e.name()
	return e
}

// fieldOf leaves out where a field was sent. Of one that is missing, huma says
// only in words what it is called.
func fieldOf(e *huma.ErrorDetail) string {
	location := e.Location
	if rest, ok := strings.CutPrefix(e.Message, "expected required property "); ok {
		name, _, _ := strings.Cut(rest, " ")
		location += "." + name
	}
	for _, where := range []string{"body.", "query.", "path.", "header."} {
		if field, ok := strings.CutPrefix(location, where); ok {
			return field
		}
	}
	return location
}

func (s *Server) newAPI(mux *patterns) *api {
	useOurErrors()
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Holdfast", Version: "1",
				Description: "What Holdfast knows and does. Every refusal is an Error; docs/api.md says how to begin.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token":   {Type: "http", Scheme: "bearer", Description: "holdfast token create; the first is the file admin-token in the data directory"},
					"session": {Type: "apiKey", In: "cookie", Name: "holdfast", Description: "from POST /api/v1/session; __Host-holdfast on TLS"},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()},
		DefaultFormat: "application/json",
		// A misspelled parameter must not be taken for its default.
		RejectUnknownQueryParameters: true,
	}
	return &api{humago.New(mux, c), s, mux}
}

// jsonFormat is huma's without a newline lost or HTML escaped.
func jsonFormat() huma.Format {
	f := huma.DefaultJSONFormat
	f.Unmarshal = json.Unmarshal
	return f
}

// schemaName tells types of one name in several packages apart.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	if p := t.PkgPath(); t.Name() != "" && p != "" && path.Base(p) != "admin" && path.Base(p) != "control" && path.Base(p) != "access" {
		base := path.Base(p)
		name = strings.ToUpper(base[:1]) + base[1:] + name
	}
	return name
}

// output is an answer; huma wants a struct around it.
type output[O any] struct{ Body O }

// nothing is the input of what needs none.
type nothing struct{}

// op describes an operation. Role "" is for everybody.
type op struct {
	id, method, path string
	tag, summary     string
	about            string
	role             store.Role
	errors           []int // besides 400, 401, 403, 429 and 500
}

// operation is what huma calls it.
func (a *api) operation(o op) huma.Operation {
	out := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Tags: []string{o.tag}, Summary: o.summary, Description: o.about,
		MaxBodyBytes: bodyBytes, BodyReadTimeout: readTimeout, Errors: append([]int{400, 429, 500}, o.errors...),
	}
	if o.role != "" {
		out.Errors = append(out.Errors, 401, 403)
		out.Security = []map[string][]string{{"token": {}}, {"session": {}}}
		out.Description = strings.TrimSpace(out.Description + "\n\nNeeds the role " + string(o.role) + ".")
		out.Middlewares = huma.Middlewares{a.require(o.role)}
	}
	return out
}

// require lets only identities with a role through.
func (a *api) require(role store.Role) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if err := access.Check(ctx.Context(), role); err != nil {
			_, w := humago.Unwrap(ctx)
			writeError(w, err)
			return
		}
		next(ctx)
	}
}

// handle adds an operation. Errors become Error, whatever they are.
func handle[I, O any](a *api, o op, h func(context.Context, *I) (O, error)) {
	huma.Register(a.API, a.operation(o), func(ctx context.Context, in *I) (*output[O], error) {
		v, err := h(ctx, in)
		if err != nil {
			return nil, asError(err)
		}
		return &output[O]{v}, nil
	})
}

// anyContentType lets programs and pages send JSON without saying so: fetch
// calls a string text/plain, curl calls it a form. A session cookie counts only
// for pages of this very origin, so the type protects nobody.
func anyContentType(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "", "text/plain", "application/x-www-form-urlencoded":
			if r.ContentLength != 0 {
				r.Header.Set("Content-Type", "application/json")
			}
		}
		next.ServeHTTP(w, r)
	})
}
