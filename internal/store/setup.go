package store

import (
	"context"
	"fmt"
)

// Setup creates the tables, adds default rows for the functions that have none, and checks the result. It can run again at
// any time and changes nothing that exists. The list says what was done and found; the error says that it could not go on.
func Setup(ctx context.Context, s Store, functions []FunctionConfig) ([]Check, error) {
	var list []Check
	if err := s.Migrate(ctx); err != nil {
		return append(list, Check{Name: "tables", Detail: err.Error()}), err
	}
	list = append(list, Check{Name: "tables", OK: true, Detail: "created or already there"})
	added, err := s.AddDefaults(ctx, functions)
	if err != nil {
		return append(list, Check{Name: "defaults", Detail: err.Error()}), err
	}
	list = append(list, Check{Name: "defaults", OK: true, Detail: fmt.Sprintf("%d functions, %d rows added", len(functions), added)})
	found, err := s.Verify(ctx)
	return append(list, found...), err
}

// Failed returns the checks that are not OK.
func Failed(list []Check) []Check {
	var bad []Check
	for _, c := range list {
		if !c.OK {
			bad = append(bad, c)
		}
	}
	return bad
}
