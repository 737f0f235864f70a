//go:build linux

package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Find returns the path of a program. It looks where Debian keeps servers too,
// which is not on everybody's PATH.
func Find(program string) (string, error) {
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + program); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: scripts/deps.sh installs it", program)
}

// root returns the directory of the module holdfast, found from the working
// directory.
func root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "holdfast").Output()
	if err != nil {
		return "", fmt.Errorf("find the source of holdfast: %w", explain(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// BuildHoldfast builds the program from the tree into dir and says which
// commit that is.
func BuildHoldfast(ctx context.Context, dir string) (path, version string, err error) {
	tree, err := root(ctx)
	if err != nil {
		return "", "", err
	}
	path = filepath.Join(dir, "holdfast")
	return path, describe(ctx, tree), build(ctx, tree, path, "./cmd/holdfast")
}

// describe names the commit of a tree, where there is one.
func describe(ctx context.Context, tree string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", tree, "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "of an unknown commit"
	}
	return strings.TrimSpace(string(out))
}

// caddyModule is what the module in bench/gateway/caddy pins.
const caddyModule = "github.com/caddyserver/caddy/v2"

// BuildCaddy builds the pinned Caddy into the user's cache, unless it is there,
// and says which version that is.
func BuildCaddy(ctx context.Context) (path, version string, err error) {
	return BuildPinned(ctx, "bench/gateway/caddy", "caddy", caddyModule, "/cmd/caddy")
}

// BuildPinned builds the program name, package pkg of a module, at the version
// that the go.mod in dir pins, into the user's cache unless it is there.
func BuildPinned(ctx context.Context, dir, name, module, pkg string) (path, version string, err error) {
	tree, err := root(ctx)
	if err != nil {
		return "", "", err
	}
	dir = filepath.Join(tree, filepath.FromSlash(dir))
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", module) //nolint:gosec // the bench's own
	list.Dir = dir
	out, err := list.Output()
	if err != nil {
		return "", "", fmt.Errorf("find the version of %s: %w", name, explain(err))
	}
	version = strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", "", err
	}
	path = filepath.Join(cache, "holdfast-bench", name+"-"+version)
	if _, err := os.Stat(path); err == nil {
		return path, version, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", "", err
	}
	return path, version, build(ctx, dir, path, module+pkg, "-trimpath", "-ldflags", "-s -w")
}

// build builds beside path and renames, so that what is there is whole.
// Holdfast is built without flags: other tests do so too, and perf finds symbols.
func build(ctx context.Context, dir, path, pkg string, flags ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", path + ".new"}, append(flags, pkg)...)...) //nolint:gosec // our own packages
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	return os.Rename(path+".new", path)
}

var versionNumber = regexp.MustCompile(`\bv?\d+\.\d+[\w.+~-]*`)

// Version asks a program for its version, by -v.
func Version(ctx context.Context, program string) (string, error) {
	return VersionBy(ctx, program, "-v")
}

// VersionBy asks a program for its version, by a flag of its own.
func VersionBy(ctx context.Context, program, flag string) (string, error) {
	out, err := exec.CommandContext(ctx, program, flag).CombinedOutput() //nolint:gosec // found by us
	found := versionNumber.FindString(string(out))
	if found == "" {
		return "", fmt.Errorf("ask %s for its version: %w", program, errors.Join(err, errVersion))
	}
	return strings.TrimPrefix(found, "v"), nil
}

var errVersion = errors.New("it prints none")

// explain adds what a failed command said.
func explain(err error) error {
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(failed.Stderr)))
	}
	return err
}
