// Command gen writes the page about all metrics. Run it with
// `go generate ./internal/telemetry`; a test fails when the page is out of date.
package main

import (
	"fmt"
	"os"

	"holdfast/internal/telemetry"
)

func main() {
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // the main of a generator
	}
}

func write(file string) error {
	if err := os.WriteFile(file, []byte(telemetry.Page()), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
