// Package dashboard serves the page of Holdfast: the files that `make` builds
// from web/ and that are part of the binary. It knows nothing of what the page
// shows; the page asks the API, as every other client does.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// Root is where the page is served; what lies below it belongs to it.
const Root = "/admin/monitoring"

//go:embed all:dist
var built embed.FS

// absent is served by a binary that was built without npm.
const absent = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Holdfast</title></head>
<body><h1>This binary has no page</h1>
<p>It was built without the page. <code>make build</code> on a machine with Node 20.19 or newer and npm builds both.
Everything the page shows is in the terminal too: <code>holdfast status --watch</code>.</p></body></html>
`

// file is one file of the page with its compressed copies, which may be nil.
type file struct {
	kind, tag         string
	plain, gzip, brot []byte
	forever           bool // its name changes with its content
}

// Handler serves the page. Safe for concurrent use.
type Handler struct {
	policy string
	files  map[string]*file
}

// New reads the page out of the binary; policy is its Content-Security-Policy.
func New(policy string) *Handler {
	sub, err := fs.Sub(built, "dist/page")
	if err != nil {
		panic("open the embedded page: " + err.Error()) // the name is a valid one
	}
	return from(sub, policy)
}

func from(dir fs.FS, policy string) *Handler {
	h := &Handler{policy: policy, files: map[string]*file{}}
	_ = fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Ext(name) != ".gz" && path.Ext(name) != ".br" {
			h.files[name] = read(dir, name)
		}
		return nil // without the page there is nothing to walk
	})
	if h.files["index.html"] == nil {
		h.files["index.html"] = &file{kind: "text/html; charset=utf-8", tag: tagOf([]byte(absent)), plain: []byte(absent)}
	}
	return h
}

func read(dir fs.FS, name string) *file {
	load := func(suffix string) []byte {
		b, err := fs.ReadFile(dir, name+suffix)
		if err != nil {
			return nil
		}
		return b
	}
	f := &file{kind: mime.TypeByExtension(path.Ext(name)), plain: load(""), gzip: load(".gz"), brot: load(".br"), forever: strings.HasPrefix(name, "assets/")}
	f.tag = tagOf(f.plain)
	return f
}

func tagOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// Built tells whether the binary holds the page.
func (h *Handler) Built() bool { return h.files["index.html"].gzip != nil }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, Root), "/")
	if name == "" {
		if r.URL.Path == Root+"/" { // one address, so that names in the page have one base
			name = "index.html"
		} else {
			http.Redirect(w, r, Root+"/", http.StatusMovedPermanently)
			return
		}
	}
	f := h.files[name]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Security-Policy", h.policy)
	f.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	body, encoding := f.pick(r.Header.Get("Accept-Encoding"))
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Vary", "Accept-Encoding")
	header.Set("ETag", `"`+f.tag+encoding+`"`)
	header.Set("Cache-Control", "no-cache")
	if f.forever {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if encoding != "" {
		header.Set("Content-Encoding", encoding)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// pick chooses the smallest form the client understands.
func (f *file) pick(accept string) (body []byte, encoding string) {
	switch {
	case f.brot != nil && accepts(accept, "br"):
		return f.brot, "br"
	case f.gzip != nil && accepts(accept, "gzip"):
		return f.gzip, "gzip"
	}
	return f.plain, ""
}

func accepts(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			weight := strings.TrimPrefix(strings.ReplaceAll(q, " ", ""), "q=")
			return strings.Trim(weight, "0.") != "" || weight == ""
		}
	}
	return false
}
