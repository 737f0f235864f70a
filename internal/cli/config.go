package cli

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"holdfast/internal/config"
)

func configCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Show, change, compare and document configurations", Args: onlyCommands,
		Example: "  holdfast config show\n  holdfast config diff holdfast.yaml\n  holdfast config schema > holdfast.schema.json",
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(configGetCommand(g), configSetCommand(g), configUnsetCommand(g), configHistoryCommand(g))
	c.AddCommand(configShowCommand(g), configDiffCommand(g), configSchemaCommand(), configReferenceCommand())
	return c
}

func configShowCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Print the configuration of the running Holdfast", Args: noArgs,
		Long: `Print the configuration of the running Holdfast as YAML with every default,
secrets masked.`,
		Example: "  holdfast config show\n  holdfast config show -o json", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := newClient(g).ask(c.Context(), http.MethodGet, "config", nil, nil)
			if err != nil {
				return err
			}
			if g.json() {
				if b, err = yaml.YAMLToJSON(b); err != nil {
					return fmt.Errorf("read the configuration: %w", err)
				}
				return writeIndented(c.OutOrStdout(), b)
			}
			_, err = c.OutOrStdout().Write(b)
			return err
		},
	}
}

func configDiffCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "diff FILE...", Short: "List what a file would change in the running Holdfast", Args: cobra.MinimumNArgs(1),
		Long: `List what differs between the configuration of the running Holdfast and a file
with the environment as it is here. Options that were given to holdfast up, such
as --listen, show as differences. Secrets are masked on both sides, so a
different secret is not seen.`,
		Example: "  holdfast config diff holdfast.yaml",
		RunE: func(c *cobra.Command, files []string) error {
			changes, err := diffRunning(c, g, files)
			if err != nil {
				return err
			}
			if g.json() {
				return encodeIndented(c.OutOrStdout(), map[string]any{"changes": changes})
			}
			list := make([]string, len(changes))
			for i, ch := range changes {
				list[i] = config.Change{Path: ch.Path, Old: cut(ch.Old, shownValue), New: cut(ch.New, shownValue)}.String()
			}
			return writeChanges(g.screen(c.OutOrStdout()), list, "compared")
		},
	}
}

// shownValue keeps a whole function on one line; -o json has it all.
const shownValue = 60

// changeView is one difference as JSON.
type changeView struct {
	Path string `json:"path"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// diffRunning compares both sides masked: of the running one nothing else is
// known here.
func diffRunning(c *cobra.Command, g *global, files []string) ([]changeView, error) {
	o := config.Options{Files: files, Environ: g.env.Environ}
	if g.dataDir != "" {
		o.Overrides = map[string]any{"data_dir": g.dataDir}
	}
	wanted, _, err := config.Load(o)
	if err != nil {
		return nil, explainProblems(err)
	}
	text, err := newClient(g).ask(c.Context(), http.MethodGet, "config", nil, nil)
	if err != nil {
		return nil, err
	}
	running, err := readMasked(text)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of the running Holdfast (is it of another version?): %w", err)
	}
	masked, err := readMasked(config.Marshal(wanted, true))
	if err != nil {
		return nil, fmt.Errorf("mask the secrets of the file: %w", err)
	}
	list := []changeView{}
	for _, ch := range config.Diff(running, masked) {
		list = append(list, changeView(ch))
	}
	return list, nil
}

var errNoSuchFile = errors.New("only the given text may be read")

// readMasked reads what config.Marshal wrote, and nothing besides it.
func readMasked(text []byte) (*config.Config, error) {
	const name = "configuration"
	c, _, err := config.Load(config.Options{Files: []string{name}, ReadFile: func(asked string) ([]byte, error) {
		if asked != name {
			return nil, errNoSuchFile
		}
		return text, nil
	}})
	return c, err
}

func configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the configuration, for editors", Args: noArgs,
		Example: "  holdfast config schema > holdfast.schema.json", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(config.Schema())
			return err
		},
	}
}

func configReferenceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reference", Short: "Print the reference of all keys as Markdown", Args: noArgs,
		Example: "  holdfast config reference | less", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(c.OutOrStdout(), config.Reference())
			return err
		},
	}
}
