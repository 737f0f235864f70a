package config_test

import (
	"os"
	"testing"

	"holdfast/internal/config"
)

func TestTheCommittedReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != config.Reference() {
		t.Error("docs/configuration.md is out of date: holdfast config reference > docs/configuration.md")
	}
}
