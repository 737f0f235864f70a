package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

func explainCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "explain", Short: "Say why: a request, an instance, a breaker, scaling", Args: onlyCommands,
		Example: "  holdfast explain request 4f1c2a90\n  holdfast explain instance public/public-1\n  holdfast explain breaker public\n  holdfast explain scaling public",
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(explainRequestCommand(g), explainInstanceCommand(g), explainBreakerCommand(g), explainScalingCommand(g))
	return c
}

func explainRequestCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "request ID", Short: "Tell the story of a request: gates, attempts, decisions", Args: cobra.ExactArgs(1),
		Long: `Tell the story of a request: which route it took, what it waited for, which
instances were asked and why those, and why it was tried again or not.

The id is in the answer's header X-Request-Id and in holdfast requests; its
beginning is enough.`,
		Example:           "  holdfast explain request 4f1c2a90",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			return explain(c, g, escaped("request", args[0]))
		},
	}
}

func explainInstanceCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "instance FUNCTION/INSTANCE | INSTANCE", Short: "Say why an instance is as it is", Args: cobra.RangeArgs(1, 2),
		Long: `Say why an instance is as it is: who says what about it and since when, its
process, its traffic, its last checks and changes. The function may be left out
when only one has an instance of that name.`,
		Example:           "  holdfast explain instance public/public-1\n  holdfast explain instance public-1",
		ValidArgsFunction: completeInstances(g),
		RunE: func(c *cobra.Command, args []string) error {
			path, err := findInstance(c, g, args)
			if err != nil {
				return err
			}
			function, id, _ := strings.Cut(path, "/")
			return explain(c, g, escaped("instance", function, id))
		},
	}
}

func explainBreakerCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "breaker FUNCTION", Short: "Say why a breaker is as it is and what comes next", Args: cobra.ExactArgs(1),
		Example: "  holdfast explain breaker public", ValidArgsFunction: completeFunctions(g),
		RunE: func(c *cobra.Command, args []string) error { return explain(c, g, escaped("breaker", args[0])) },
	}
}

func explainScalingCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "scaling FUNCTION", Short: "Say why a function has as many instances as it has", Args: cobra.ExactArgs(1),
		Long: `Say why a function has as many instances as it has: what each rule of its
scaling wanted in the last decision, what stood against it, what was measured,
and the last changes. With -o json also the record of the decision.`,
		Example: "  holdfast explain scaling public", ValidArgsFunction: completeFunctions(g),
		RunE: func(c *cobra.Command, args []string) error { return explain(c, g, escaped("scaling", args[0])) },
	}
}

func explain(c *cobra.Command, g *global, path string) error {
	return show(c, g, asked{path: "explain/" + path}, func(s *screen, v *struct{ Lines []string }) error { return writeLines(s, v.Lines) })
}

// findInstance returns FUNCTION/INSTANCE for what was written.
func findInstance(c *cobra.Command, g *global, args []string) (string, error) {
	if len(args) == 2 {
		return args[0] + "/" + args[1], nil
	}
	if strings.Contains(args[0], "/") {
		return args[0], nil
	}
	var v admin.Instances
	if err := newClient(g).get(c.Context(), "instances", &v); err != nil {
		return "", err
	}
	var found []string
	for i := range v.Instances {
		if v.Instances[i].ID == args[0] {
			found = append(found, v.Instances[i].Function+"/"+args[0])
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no function has an instance %q\nholdfast instances lists them", args[0])
	case 1:
		return found[0], nil
	default:
		return "", fmt.Errorf("several functions have an instance %q\nsay which: %s", args[0], strings.Join(found, ", "))
	}
}

func completeInstances(g *global) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var v admin.Instances
		if len(args) > 0 || newClient(g).get(c.Context(), "instances", &v) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for i := range v.Instances {
			names = append(names, v.Instances[i].Function+"/"+v.Instances[i].ID)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
