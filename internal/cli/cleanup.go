package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/store"
)

// days is an age, which people count in days; the zero value is none.
type days time.Duration

const (
	day     = 24 * time.Hour
	mostAge = 36500 * day // a time.Duration ends at 292 years
)

var errAge = errors.New("want an age such as 30d, 12h or 1d12h, of a minute at least and a hundred years at most")

// Set reads 30d, 12h or 1d12h.
func (d *days) Set(text string) error {
	whole, rest, found := strings.Cut(text, "d")
	if !found {
		whole, rest = "0", text
	}
	n, err := strconv.ParseUint(whole, 10, 16)
	hours := time.Duration(0)
	if err == nil && rest != "" {
		hours, err = time.ParseDuration(rest)
	}
	total := time.Duration(n)*day + hours
	if err != nil || hours < 0 || total < time.Minute || total > mostAge {
		return errAge
	}
	*d = days(total)
	return nil
}

func (d *days) String() string {
	whole, rest := time.Duration(*d)/day, time.Duration(*d)%day
	switch {
	case rest == 0:
		return fmt.Sprintf("%dd", whole)
	case whole == 0:
		return rest.String()
	}
	return fmt.Sprintf("%dd%s", whole, rest)
}

// Type is what --help calls it.
func (d *days) Type() string { return "age" }

// cleanedUp is what `cleanup -o json` prints.
type cleanedUp struct {
	Store  string         `json:"store"`
	DryRun bool           `json:"dry_run"`
	Rows   int64          `json:"rows"`
	Tables []cleanedTable `json:"tables"`
}

type cleanedTable struct {
	Table            string `json:"table"`
	Rows             int64  `json:"rows"`
	OlderThanSeconds int64  `json:"older_than_seconds"`
}

func cleanupCommand(g *global) *cobra.Command {
	age, dry := days(store.DefaultRetention), false
	c := &cobra.Command{
		Use: "cleanup [--older-than AGE]", Short: "Remove old rows from the store", Args: noArgs,
		Long: `Remove from the store what is older than 30 days, or another age: actions,
events, decisions, instances that are gone, states of nodes, and tokens that
ended. The audit log and the history of the configuration stay for a year at
least. A running Holdfast does the same once a day, with 30 days, and looks
after its history of minutes (14 days) itself.

Rows go in small steps, so it can run while a Holdfast uses the store.`,
		Example: `  holdfast cleanup --dry-run
  holdfast cleanup --older-than 7d
  holdfast cleanup -c holdfast.yaml --older-than 90d -o json`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	files := configFlag(c)
	c.Flags().Var(&age, "older-than", "how long to keep rows: 30d, 12h")
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would go")
	c.RunE = func(c *cobra.Command, _ []string) error { return runCleanup(c, g, *files, time.Duration(age), dry) }
	return c
}

func runCleanup(c *cobra.Command, g *global, files []string, age time.Duration, dry bool) error {
	s, err := openOwnStore(g, files, mustExist)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // what went is gone
	remove := s.Cleanup
	if dry {
		remove = s.Outdated
	}
	list, err := remove(c.Context(), age)
	v := cleanedUp{Store: s.name, DryRun: dry, Tables: []cleanedTable{}}
	for _, t := range list {
		v.Rows += t.Rows
		v.Tables = append(v.Tables, cleanedTable{t.Table, t.Rows, int64(t.OlderThan.Seconds())})
	}
	if err != nil && v.Rows == 0 {
		return storeFailure(err) // nothing to tell but this
	}
	if printErr := v.write(c, g); printErr != nil {
		return printErr
	}
	return storeFailure(err)
}

func (v *cleanedUp) write(c *cobra.Command, g *global) error {
	if g.json() {
		return encodeIndented(c.OutOrStdout(), v)
	}
	t := &table{columns: []column{{name: "TABLE", least: 12}, {name: "ROWS", right: true}, {name: "OLDER THAN", right: true}}}
	for _, x := range v.Tables {
		age := days(time.Duration(x.OlderThanSeconds) * time.Second)
		t.add(text("%s", x.Table), text("%d", x.Rows), text("%s", age.String()))
	}
	s := g.screen(c.OutOrStdout())
	if err := t.write(s); err != nil {
		return err
	}
	what := "removed"
	if v.DryRun {
		what = "would be removed"
	}
	rows := "1 row"
	if v.Rows != 1 {
		rows = fmt.Sprintf("%d rows", v.Rows)
	}
	_, err := fmt.Fprintf(s.w, "%s %s\n", rows, what)
	return err
}
