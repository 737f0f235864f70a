package install_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"holdfast/test/need"
)

// platforms are this machine's, in the long form all that are released.
func platforms() []string {
	if need.Soak() {
		return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}
	}
	return []string{"linux/" + runtime.GOARCH}
}

// dist runs scripts/dist.sh of the source tree in root.
func dist(t *testing.T, root string) string {
	t.Helper()
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "scripts/dist.sh"), append([]string{"test", "-s -w"}, platforms()...)...)
	cmd.Env = append(os.Environ(), "DIST="+out, "SOURCE_DATE_EPOCH=1")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dist.sh: %v\n%s", err, b)
	}
	return out
}

func TestArchivesAreStaticAndTheSameBytesWhereverTheyAreBuilt(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "another place")
	copyTree(t, root, elsewhere)
	first, second := dist(t, root), dist(t, elsewhere)
	sums := func(dir string) string {
		b, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	a, b := sums(first), sums(second)
	if a != b {
		t.Errorf("the archives differ:\n%s%s", a, b)
	}
	for _, p := range platforms() {
		if !strings.Contains(a, "holdfast_test_"+strings.ReplaceAll(p, "/", "_")+".tar.gz") {
			t.Errorf("no archive for %s in\n%s", p, a)
		}
	}
	inside := t.TempDir()
	name := "holdfast_test_linux_" + runtime.GOARCH
	if b, err := exec.CommandContext(t.Context(), "tar", "-xzf", filepath.Join(first, name+".tar.gz"), "-C", inside).CombinedOutput(); err != nil {
		t.Fatalf("unpack: %v\n%s", err, b)
	}
	binary := filepath.Join(inside, name, "holdfast")
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary needs a dynamic linker")
		}
	}
	if b, err := exec.CommandContext(t.Context(), binary, "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(b), "holdfast ") {
		t.Errorf("version: %v %s", err, b)
	}
	for _, member := range []string{"LICENSE", "README.md", "holdfast.service", "holdfast.socket"} {
		if _, err := os.Stat(filepath.Join(inside, name, member)); err != nil {
			t.Errorf("%v", err)
		}
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the binary has %d MiB", info.Size()>>20)
}

// copyTree copies what is built from: a link would be resolved to this place.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `tar -C "$0" --exclude=./.git --exclude=./bin --exclude=./dist --exclude=./holdfast-data -cf - . | tar -C "$1" -xf -`, from, to)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("copy the source: %v\n%s", err, b)
	}
}

func TestItPassesVetForMacOS(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "vet", "./...")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, b)
	}
}
