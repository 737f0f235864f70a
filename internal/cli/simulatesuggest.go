package cli

import (
	"fmt"

	"holdfast/autoscale/simulate"
	"holdfast/internal/cli/rehearsal"
)

// writeSuggested prints proposals with their consequences, and how to write
// them.
func writeSuggested(s *screen, r *rehearsal.Document) error {
	if err := writeLines(s, []string{"", fmt.Sprintf("Suggested, cheapest of their kind with at most %g %% slow minutes:", r.Goal)}); err != nil {
		return err
	}
	var list []simulate.Result
	for i := range r.Suggested {
		list = append(list, r.Suggested[i].Result)
	}
	if err := kept(list).write(s); err != nil {
		return err
	}
	for i := range r.Suggested {
		p := &r.Suggested[i]
		lines := []string{"", fmt.Sprintf("# %s: %s", p.Name, p.Why), "scaling:"}
		for _, l := range p.Lines {
			lines = append(lines, "  "+l)
		}
		if err := writeLines(s, lines); err != nil {
			return err
		}
	}
	return nil
}
