package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Setup creates the tables, adds default rows for the functions that have none, and checks the result. It can run again at
// any time and changes nothing that exists. The list says what was done and found; the error says that it could not go on,
// and is the last line of the list too.
func Setup(ctx context.Context, s Store, functions []FunctionConfig) (list []Check, err error) {
	for _, step := range []struct {
		name string
		run  func() (string, error)
	}{
		{"tables", func() (string, error) { return "made, or there already", s.Migrate(ctx) }},
		{"defaults", func() (string, error) {
			added, err := s.AddDefaults(ctx, functions)
			return fmt.Sprintf("%d functions, %d rows added", len(functions), added), err
		}},
	} {
		detail, err := step.run()
		if err != nil {
			return append(list, Check{Name: step.name, Detail: err.Error()}), err
		}
		list = append(list, Check{Name: step.name, OK: true, Detail: detail})
	}
	for _, look := range []func() ([]Check, error){
		func() ([]Check, error) { return verifyDefaults(ctx, s, functions) },
		func() ([]Check, error) { return s.Verify(ctx) },
	} {
		found, err := look()
		list = append(list, found...)
		if err != nil {
			return append(list, Check{Name: "verify", Detail: err.Error()}), err
		}
	}
	return list, nil
}

// verifyDefaults looks for the rows of each function.
func verifyDefaults(ctx context.Context, s Store, functions []FunctionConfig) ([]Check, error) {
	configs, err := s.FunctionConfigs(ctx)
	if err != nil {
		return nil, err
	}
	breakers, err := s.Breakers(ctx)
	if err != nil {
		return nil, err
	}
	configured, broken := make([]string, len(configs)), make([]string, len(breakers))
	for i, c := range configs {
		configured[i] = c.Function
	}
	for i, b := range breakers {
		broken[i] = b.Function
	}
	wanted := make([]string, len(functions))
	for i, f := range functions {
		wanted[i] = Text(f.Function)
	}
	return []Check{complete("configurations", wanted, configured), complete("breakers", wanted, broken)}, nil
}

// complete is the check that all that is wanted is there.
func complete(name string, wanted, have []string) Check {
	missing := slices.DeleteFunc(slices.Clone(wanted), func(w string) bool { return slices.Contains(have, w) })
	if len(missing) > 0 {
		return Check{Name: name, Detail: "missing: " + strings.Join(missing, ", ")}
	}
	return Check{Name: name, OK: true, Detail: fmt.Sprintf("%d in the table", len(have))}
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
