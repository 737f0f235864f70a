package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"holdfast/internal/app"
	"holdfast/internal/config"
	"holdfast/internal/store"
)

// ownStore is the store of a configuration, used without a running Holdfast.
type ownStore struct {
	store.Store

	config *config.Config
	name   string // for people; holds no secret
}

func configFlag(c *cobra.Command) *[]string {
	return c.Flags().StringSliceP("config", "c", nil, "configuration file; several are merged in order (default "+defaultFile+" if it is there)")
}

var errElsewhere = errors.New("this works on the store itself, not through a Holdfast elsewhere: leave --url out and name the store in the configuration, or with HOLDFAST_STORE")

// presence says whether a store in a file may be made by opening it.
type presence bool

const (
	mayBeMade presence = false
	mustExist presence = true
)

// openOwnStore opens the store that files and the environment name.
func openOwnStore(g *global, files []string, there presence) (*ownStore, error) {
	if g.url != "" {
		return nil, errElsewhere
	}
	if _, err := os.Stat(defaultFile); len(files) == 0 && err == nil {
		files = []string{defaultFile}
	}
	o := config.Options{Files: files, Environ: g.env.Environ}
	if g.dataDir != "" {
		o.Overrides = map[string]any{"data_dir": g.dataDir}
	}
	c, _, err := config.Load(o)
	if err != nil {
		return nil, explainProblems(err)
	}
	s := &ownStore{config: c, name: "PostgreSQL"}
	if c.Store == "sqlite" {
		s.name = "SQLite in " + c.DataDir
		if err := ownedByMe(c.DataDir); err != nil {
			return nil, err
		}
		if err := wantFile(c); err != nil && there == mustExist {
			return nil, err
		}
	}
	if s.Store, err = app.OpenStore(c); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, nil
}

// wantFile wants a store in a file to be there.
func wantFile(c *config.Config) error {
	if _, err := os.Stat(app.StoreFile(c)); errors.Is(err, fs.ErrNotExist) {
		return withCode(exitUnreachable, fmt.Errorf("the directory %s holds no Holdfast data, and nothing was changed: name the data directory of a Holdfast that ran, with --data-dir", c.DataDir))
	}
	return nil // what else is wrong, opening it says
}

// ownedByMe refuses a data directory of another user: files that this one makes
// in it, root above all, would keep its Holdfast out.
func ownedByMe(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the data directory %s belongs to user %d: run this as that user, such as sudo -u '#%d' holdfast", dir, st.Uid, st.Uid)
	}
	return nil
}

// storeFailure gives an error of the store its exit code: 3 when it cannot be
// asked, 2 when it can and something is wrong with it.
func storeFailure(err error) error {
	for _, kind := range []error{store.ErrDenied, store.ErrCorrupt, store.ErrTooNew} {
		if errors.Is(err, kind) {
			return withCode(exitFailed, err)
		}
	}
	if errors.Is(err, store.ErrUnavailable) {
		return withCode(exitUnreachable, err)
	}
	return err
}
