package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
	"holdfast/internal/event"
)

// eventFlags are the flags of `events`.
type eventFlags struct {
	follow   bool
	function string
	n        int
}

func eventsCommand(g *global) *cobra.Command {
	f := &eventFlags{}
	c := &cobra.Command{
		Use: "events", Short: "List what happened: changes of instances, breakers, configuration", Args: noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		Example:           "  holdfast events -n 50\n  holdfast events --follow --function public",
		RunE:              func(c *cobra.Command, _ []string) error { return showEvents(c, g, f) },
	}
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with what happens, until Ctrl-C")
	c.Flags().StringVar(&f.function, "function", "", "only this function")
	c.Flags().IntVarP(&f.n, "number", "n", 20, "how many to begin with")
	return c
}

const followStep = 500 * time.Millisecond

func showEvents(c *cobra.Command, g *global, f *eventFlags) error {
	client, s := newClient(g), g.screen(c.OutOrStdout())
	v, err := askEvents(c, client, 0)
	if err != nil {
		return err
	}
	list := f.wanted(v.Events)
	list = list[max(0, len(list)-f.n):]
	if g.json() && !f.follow {
		b, err := json.Marshal(admin.Events{Events: list, Last: v.Last})
		if err != nil {
			return err
		}
		return writeIndented(c.OutOrStdout(), b)
	}
	if err := writeEvents(g, s, list); err != nil || !f.follow {
		return err
	}
	return followEvents(c, g, f, client, v.Last)
}

// followEvents prints what happens after number last. When Holdfast was started
// anew in between, numbers begin anew too.
func followEvents(c *cobra.Command, g *global, f *eventFlags, client *client, last uint64) error {
	ticker := time.NewTicker(followStep)
	defer ticker.Stop()
	s := g.screen(c.OutOrStdout())
	for {
		select {
		case <-c.Context().Done():
			return nil
		case <-ticker.C:
		}
		v, err := askEvents(c, client, last)
		if c.Context().Err() != nil {
			return nil // Ctrl-C is how it ends
		}
		if err == nil && v.Last < last {
			v, err = askEvents(c, client, 0)
		}
		if err != nil {
			return err
		}
		if err := writeEvents(g, s, f.wanted(v.Events)); err != nil {
			return err
		}
		last = v.Last
	}
}

func askEvents(c *cobra.Command, client *client, since uint64) (admin.Events, error) {
	b, err := client.ask(c.Context(), http.MethodGet, "events", query("since", strconv.FormatUint(since, 10)), nil)
	if err != nil {
		return admin.Events{}, err
	}
	var v admin.Events
	if err := json.Unmarshal(b, &v); err != nil {
		return admin.Events{}, fmt.Errorf("read the events: %w", err)
	}
	return v, nil
}

func (f *eventFlags) wanted(list []event.Event) []event.Event {
	if f.function == "" {
		return list
	}
	kept := []event.Event{}
	for _, e := range list {
		if e.Function == f.function {
			kept = append(kept, e)
		}
	}
	return kept
}

// writeEvents prints one line an event: no table, since more may follow.
func writeEvents(g *global, s *screen, list []event.Event) error {
	for i := range list {
		var err error
		if g.json() {
			err = json.NewEncoder(s.w).Encode(&list[i])
		} else {
			_, err = fmt.Fprintln(s.w, eventLine(s, &list[i]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func eventLine(s *screen, e *event.Event) string {
	about := e.Function
	if e.Instance != "" {
		about += "/" + e.Instance
	}
	change := e.To
	if e.From != "" {
		change = e.From + " -> " + e.To
	}
	var words []string
	for _, w := range []string{about, string(e.Kind), change} {
		if w != "" {
			words = append(words, w)
		}
	}
	line := e.At.Local().Format(time.TimeOnly) + " " + strings.Join(words, " ")
	if e.Reason != "" {
		line += ": " + e.Reason
	}
	return s.paint(s.wrap(clean(strings.ReplaceAll(line, "\n", " "))), stateColour(e.To))
}
