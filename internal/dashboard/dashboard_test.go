package dashboard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func page() *Handler {
	return from(fstest.MapFS{
		"index.html":      {Data: []byte("<html>")},
		"index.html.gz":   {Data: []byte("zipped")},
		"assets/a1.js":    {Data: []byte("plain")},
		"assets/a1.js.br": {Data: []byte("brotli")},
	}, "default-src 'none'")
}

func ask(t *testing.T, h http.Handler, path, encoding string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEachClientGetsTheSmallestFormItUnderstands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, accept, encoding, body string }{
		{Root + "/", "gzip, deflate, br", "gzip", "zipped"},
		{Root + "/", "", "", "<html>"},
		{Root + "/", "gzip;q=0", "", "<html>"},
		{Root + "/assets/a1.js", "gzip, br;q=0.8", "br", "brotli"},
		{Root + "/assets/a1.js", "gzip", "", "plain"},
	} {
		w := ask(t, page(), c.path, c.accept)
		if got := w.Header().Get("Content-Encoding"); w.Code != http.StatusOK || got != c.encoding || w.Body.String() != c.body {
			t.Errorf("%s for %q: %d %q %q, want 200 %q %q", c.path, c.accept, w.Code, got, w.Body, c.encoding, c.body)
		}
	}
}

func TestOnlyWhatHasItsContentInItsNameIsKeptForever(t *testing.T) {
	t.Parallel()
	if got := ask(t, page(), Root+"/assets/a1.js", "").Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("asset: %q", got)
	}
	if got := ask(t, page(), Root+"/", "").Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("page: %q", got)
	}
}

func TestThePageCarriesItsPolicy(t *testing.T) {
	t.Parallel()
	policy := ask(t, page(), Root+"/", "").Header().Get("Content-Security-Policy")
	if policy != "default-src 'none'" {
		t.Errorf("policy %q is not the one handed in", policy)
	}
}

func TestOneAddressLeadsToThePageAndUnknownFilesNowhere(t *testing.T) {
	t.Parallel()
	if w := ask(t, page(), Root, ""); w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != Root+"/" {
		t.Errorf("%s: %d %q", Root, w.Code, w.Header().Get("Location"))
	}
	for _, path := range []string{Root + "/nothing", Root + "/index.html.gz", Root + "/../dashboard.go"} {
		if w := ask(t, page(), path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, w.Code)
		}
	}
}

func TestABinaryWithoutThePageSaysHowToGetIt(t *testing.T) {
	t.Parallel()
	h := from(fstest.MapFS{".gitignore": {Data: []byte("*")}}, "")
	if w := ask(t, h, Root+"/", "gzip"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "make build") || h.Built() {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}
