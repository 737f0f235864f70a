package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheCommittedManualIsUpToDate(t *testing.T) {
	t.Parallel()
	want, err := collect("..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../manual.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("manual.json is out of date: run go generate ./internal/config")
	}
}

func TestAKeyWithoutACommentIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := "package p\n\n// T is documented.\ntype T struct {\n\tA int `yaml:\"a\"`\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(dir); err == nil || !strings.Contains(err.Error(), "T.A has no comment") {
		t.Fatalf("got %v", err)
	}
}

func TestTheManualIsWrittenBesideTheSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := "package p\n\n// T is documented.\ntype T struct {\n\t// First line\n\t// and second.\n\tA int `yaml:\"a\"`\n\tb int\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "manual.json"))
	if want := "{\n  \"T\": \"T is documented.\",\n  \"T.A\": \"First line and second.\"\n}\n"; err != nil || string(got) != want {
		t.Fatalf("got %s, %v", got, err)
	}
}
