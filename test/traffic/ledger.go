package traffic

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// CheckLedger reads what the demo instances wrote down: nothing twice, and
// nothing missing that was acknowledged.
func CheckLedger(tb testing.TB, path string, acknowledged map[string]bool) (twice int) {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	seen := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		id, who, _ := strings.Cut(lines.Text(), " ")
		if before, again := seen[id]; again {
			twice++
			tb.Errorf("POST %s was processed by %s and by %s", id, before, who)
		}
		seen[id] = who
	}
	for id := range acknowledged {
		if seen[id] == "" {
			tb.Errorf("POST %s was acknowledged but is not in the ledger", id)
		}
	}
	return twice
}
