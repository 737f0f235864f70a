package access_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

func Example() {
	dir, err := os.MkdirTemp("", "holdfast") // the data directory
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	boot, made, err := access.Bootstrap(dir)
	if err != nil {
		panic(err)
	}
	fmt.Println("made:", made, "role:", boot.Role)

	guard, err := access.New(access.Config{Tokens: access.NewTokens(access.TokensConfig{Bootstrap: boot})})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /api/v1/whoami", guard.Require(store.Viewer, guard.WhoAmI()))
	server := &http.Server{Handler: guard.Handler(mux), ReadHeaderTimeout: 1e9}
	guard.Prepare(server)

	secret, err := os.ReadFile(filepath.Join(dir, access.BootstrapName))
	if err != nil {
		panic(err)
	}
	for _, token := range []string{"", strings.TrimSpace(string(secret))} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/whoami", nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		server.Handler.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// made: true role: admin
	// 401
	// 200
}
