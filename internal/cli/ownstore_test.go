package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"holdfast/internal/store"
)

func TestAgesAreCountedInDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"30d": "30d", "12h": "12h0m0s", "24h": "1d", "1d12h": "1d12h0m0s", "90m": "1h30m0s", "1m": "1m0s",
		"": "", "d": "", "3": "", "-3d": "", "3d-1h": "", "30s": "", "0d": "", "1.5d": "", "3dd": "", "99999999d": "", "36500d1h": "", "900000h": "",
	} {
		var d days
		err := d.Set(text)
		if want == "" && err == nil {
			t.Errorf("%q is taken for %s", text, &d)
		}
		if want != "" && (err != nil || d.String() != want) {
			t.Errorf("%q is %s, %v; want %s", text, &d, err, want)
		}
	}
}

func TestFailuresOfTheStoreHaveTheirExitCodes(t *testing.T) {
	t.Parallel()
	for kind, want := range map[error]int{
		store.ErrUnavailable: exitUnreachable, store.ErrDenied: exitFailed, store.ErrCorrupt: exitFailed, store.ErrTooNew: exitFailed,
	} {
		err := storeFailure(fmt.Errorf("PostgreSQL: %w", &store.Error{Op: "create tables", Kind: kind}))
		coded, ok := err.(*codedError) //nolint:errorlint // what Main looks at
		if !ok || coded.code != want {
			t.Errorf("%v ends with %v, want %d", kind, err, want)
		}
	}
	if storeFailure(nil) != nil {
		t.Error("no failure is one")
	}
}

func TestTheDataDirectoryOfAnotherUserIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := ownedByMe(dir); err != nil {
		t.Error(err)
	}
	if err := ownedByMe(dir + "/none"); err != nil {
		t.Error(err)
	}
	if err := os.Chown(dir, 65534, -1); err != nil {
		t.Skip("only root can give a directory away")
	}
	if err := ownedByMe(dir); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Errorf("error %v", err)
	}
}
