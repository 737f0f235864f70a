package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// asked is one question to the running Holdfast, or one order.
type asked struct {
	method string // "" is GET
	path   string // below /api/v1/, escaped
	query  url.Values
	body   any
}

// show asks, and prints the answer: as it came for -o json, else as write makes
// of it.
func show[T any](c *cobra.Command, g *global, q asked, write func(s *screen, v *T) error) error {
	b, err := q.ask(c, g)
	if err != nil {
		return err
	}
	if g.json() {
		return writeIndented(c.OutOrStdout(), b)
	}
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	return write(g.screen(c.OutOrStdout()), v)
}

func (q asked) ask(c *cobra.Command, g *global) ([]byte, error) {
	return newClient(g).ask(c.Context(), cmp.Or(q.method, http.MethodGet), q.path, q.query, q.body)
}

// showTable is show for what makes a table.
func showTable[T any](c *cobra.Command, g *global, q asked, rows func(v *T) *table) error {
	return show(c, g, q, func(s *screen, v *T) error { return rows(v).write(s) })
}

// give is show for an order, whose outcome is one sentence. said sees the answer
// also where nobody reads the sentence: it may have failed all the same.
func give[T any](c *cobra.Command, g *global, q asked, said func(v *T) string) error {
	b, err := q.ask(c, g)
	if err != nil {
		return err
	}
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	sentence := said(v)
	if g.json() {
		return writeIndented(c.OutOrStdout(), b)
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), clean(sentence))
	return err
}
