package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/store"
	"holdfast/internal/store/postgres"
)

const canary = "s3cr3t-Canary"

func TestNoErrorHoldsThePassword(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"postgres://u:%s@h:notaport/db", "postgres://u:%s@h:1/db?sslmode=maybe", "postgres://u:%s%%zz@h/db", "postgres://u:%s@[::1/db",
		"postgres://u:a:%s@b@h:x/db", "host=h password=%s sslmode=maybe", "host=h password='%s", "password=%s port=x", "postgres//u:%s@h/db?x",
		"postgres://u@h/db?password=%s&sslmode=maybe", "host=h password = '%s' connect_timeout=x", "postgres://u:%s@h/db?sslrootcert=/none&sslmode=verify-full",
	} {
		address := fmt.Sprintf(strings.ReplaceAll(bad, "%%", "%%%%"), canary)
		_, err := postgres.Open(postgres.Config{URL: address})
		check := postgres.CheckTLS(address)
		if err == nil || check == nil {
			t.Errorf("%s was accepted: %v, %v", bad, err, check)
			continue
		}
		if text := err.Error() + check.Error(); strings.Contains(text, canary) {
			t.Errorf("%s: %s", bad, text)
		}
	}
}

func TestARefusedPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	name := url[strings.LastIndexByte(url, '=')+1:]
	ok(t, shared.Exec(t.Context(), name, "CREATE ROLE wary_"+name+" LOGIN PASSWORD 'right'"))
	for what, address := range map[string]string{
		"wrong password": fmt.Sprintf("postgres://wary_%s:%s@127.0.0.1:%d/%s?sslmode=disable", name, canary, shared.Port, name),
		"no database":    fmt.Sprintf("postgres://wary_%s:right@127.0.0.1:%d/%s?sslmode=disable", name, shared.Port, "right"),
		"nobody there":   fmt.Sprintf("postgres://wary_%s:%s@127.0.0.1:1/%s?sslmode=disable", name, canary, canary),
	} {
		err := open(t, address).Migrate(t.Context())
		if !errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "right\"") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAServerElsewhereDemandsTLS(t *testing.T) {
	for address, fine := range map[string]bool{
		"postgres://u@db.example.com/x":                          false,
		"postgres://u@db.example.com/x?sslmode=prefer":           false,
		"postgres://u@db.example.com/x?sslmode=allow":            false,
		"postgres://u@db.example.com/x?sslmode=disable":          false,
		"postgres://u@db.example.com/x?sslmode=require":          true,
		"host=db.example.com user=u sslmode=verify-full":         true,
		"host=10.0.0.1 user=u":                                   false,
		"postgres://u@localhost,db.example.com/x?sslmode=prefer": false,
		"postgres://u@localhost/x":                               true,
		"postgres://u@127.0.0.1:5433/x":                          true,
		"postgres://u@[::1]/x":                                   true,
		"host=/var/run/postgresql user=u":                        true,
		"postgres://u@localhost.evil.example/x":                  false,
		"postgres://u@localhost/x?host=db.example.com":           false,
	} {
		if err := postgres.CheckTLS(address); (err == nil) != fine {
			t.Errorf("%s: %v", address, err)
		} else if err != nil && !strings.Contains(err.Error(), "sslmode=verify-full") {
			t.Errorf("%s: %v, want the way out", address, err)
		}
	}
	t.Setenv("PGSSLMODE", "verify-full")
	if err := postgres.CheckTLS("postgres://u@db.example.com/x"); err != nil {
		t.Errorf("PGSSLMODE does not count: %v", err)
	}
}
