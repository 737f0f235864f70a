package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

func configGetCommand(g *global) *cobra.Command {
	var origin bool
	c := &cobra.Command{
		Use: "get [PATH]", Short: "List what the running Holdfast is configured to, and where it comes from", Args: cobra.MaximumNArgs(1),
		Long: `List the keys of the running configuration at and below PATH; a single key
prints its value only. With --origin, each with its place: default, a file with
line and column, an environment variable, or an override made through the API.`,
		Example:           "  holdfast config get functions.public.retry.attempts\n  holdfast config get functions.public --origin",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			q := asked{path: "config/values", query: query("path", first(args))}
			return show(c, g, q, func(s *screen, v *admin.ConfigValues) error { return writeValues(s, v, first(args), origin) })
		},
	}
	c.Flags().BoolVar(&origin, "origin", false, "say where each value comes from")
	return c
}

func writeValues(s *screen, v *admin.ConfigValues, path string, origin bool) error {
	if len(v.Values) == 1 && v.Values[0].Path == path && !origin {
		_, err := fmt.Fprintln(s.w, clean(v.Values[0].Value))
		return err
	}
	t := &table{columns: []column{{name: "KEY"}, {name: "VALUE", least: 8}}}
	if origin {
		t.columns = append(t.columns, column{name: "FROM", least: 12})
	}
	for _, x := range v.Values {
		cells := []cell{text("%s", below(x.Path, path)), text("%s", x.Value)}
		if origin {
			cells = append(cells, text("%s", x.Origin))
		}
		t.add(cells...)
	}
	return t.write(s)
}

// below leaves out of a key what everybody has just typed.
func below(key, path string) string {
	if rest := strings.TrimPrefix(key, path); path != "" && rest != "" {
		return rest
	}
	return key
}

func configSetCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "set PATH VALUE", Short: "Override a key of the running Holdfast", Args: cobra.ExactArgs(2),
		Long: `Override a key. It is checked with the whole configuration, kept in the store,
in force at once, and laid over the files by every reload and restart until
holdfast config unset. Lists and blocks are written as YAML or JSON.

Commands, files, environment and listeners cannot be set this way.`,
		Example:           "  holdfast config set functions.public.retry.attempts 3\n  holdfast config set functions.public.retry.statuses '[502, 503]'\n  holdfast config set log.level debug",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			value, err := yaml.YAMLToJSON([]byte(args[1]))
			if err != nil {
				return fmt.Errorf("value: %w", err)
			}
			q := asked{method: http.MethodPut, path: "config/values", body: admin.ConfigOverride{Path: args[0], Value: value}}
			return give(c, g, q, func(v *admin.ConfigValues) string { return args[0] + ": " + shownValues(v) })
		},
	}
}

// shownValues is what a key is now.
func shownValues(v *admin.ConfigValues) string {
	if len(v.Values) == 1 {
		return v.Values[0].Value + " (" + v.Values[0].Origin + ")"
	}
	return counted(len(v.Values), "value")
}

func configUnsetCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "unset PATH", Short: "Take the override of a key back", Args: cobra.ExactArgs(1),
		Example: "  holdfast config unset functions.public.retry.attempts", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			q := asked{method: http.MethodDelete, path: "config/values", query: query("path", args[0])}
			return give(c, g, q, func(v *admin.ConfigValues) string { return args[0] + ": " + shownValues(v) })
		},
	}
}

func configHistoryCommand(g *global) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "history [FUNCTION]", Short: "List what was overridden through the API, when and by whom", Args: cobra.MaximumNArgs(1),
		Example: "  holdfast config history\n  holdfast config history public -n 5", ValidArgsFunction: completeFunctions(g),
		RunE: func(c *cobra.Command, args []string) error {
			q := query("function", first(args), "limit", fmt.Sprint(limit))
			return showTable(c, g, asked{path: "config/history", query: q}, historyTable)
		},
	}
	c.Flags().IntVarP(&limit, "number", "n", 20, "how many, the latest first")
	return c
}

func historyTable(v *admin.ConfigHistory) *table {
	t := &table{columns: []column{{name: "WHEN"}, {name: "WHO", least: 8}, {name: "WHAT", least: 8}, {name: "CHANGE", least: 20}}}
	for _, x := range v.Changes {
		t.add(text("%s", x.At.Local().Format(time.DateTime)), text("%s", x.Who), text("%s", x.Target),
			text("%s", strings.Join(changedKeys(x.Before, x.After), "; ")))
	}
	return t
}

// changedKeys lists what differs between two JSON documents.
func changedKeys(before, after json.RawMessage) []string {
	was, is := flattened(before), flattened(after)
	var list []string
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if was[key] != is[key] {
			list = append(list, strings.TrimPrefix(shortKey(key)+" = "+is[key], " = "))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if _, still := is[key]; !still {
			list = append(list, strings.TrimSpace(shortKey(key)+" taken back"))
		}
	}
	return list
}

// shortKey leaves out the documents of a function, which people do not meet
// elsewhere.
func shortKey(key string) string {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "."), "recovery_config.")
	return strings.Replace(strings.Replace(key, "load_balancing_config.", "load_balancing.", 1), "scaling_config.", "scaling.", 1)
}

// flattened is the values of a JSON document by their path.
func flattened(doc json.RawMessage) map[string]string {
	out := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			b, err := json.Marshal(v)
			if err == nil {
				out[path] = string(b)
			}
			return
		}
		for key, inner := range m {
			walk(path+"."+key, inner)
		}
	}
	var v any
	if len(doc) > 0 && json.Unmarshal(doc, &v) == nil {
		walk("", v)
	}
	return out
}
