package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"holdfast/internal/app"
	"holdfast/internal/config"
)

// initFlags are the three answers, and where they go.
type initFlags struct {
	file      string
	name      string
	to        []string
	command   string
	instances int
	listen    string
	force     bool
	always    bool
}

func initCommand(g *global) *cobra.Command {
	f := &initFlags{}
	c := &cobra.Command{
		Use: "init", Short: "Write a configuration: three questions, a working file", Args: noArgs,
		Long: `Ask three questions and write a configuration that holdfast up takes as it is:
what it is about, where it runs or how it is started, and where clients come in.
Questions that a flag answers are not asked; without a terminal the rest takes
its default.`,
		Example:           "  holdfast init\n  holdfast init --name shop --to :3000 --to :3001\n  holdfast init --name shop --command \"node server.js\" -n 2 --listen :8080",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return runInit(c, g, f) },
	}
	c.Flags().StringVarP(&f.file, "config", "c", defaultFile, "file to write")
	c.Flags().StringVar(&f.name, "name", "", "name of the function")
	c.Flags().StringSliceVar(&f.to, "to", nil, "where it runs: :3000, host:3000, http://host:3000")
	c.Flags().StringVar(&f.command, "command", "", "how it is started, on the port in $PORT")
	c.Flags().IntVarP(&f.instances, "instances", "n", 0, "how many of the command to run")
	c.Flags().StringVar(&f.listen, "listen", "", "where clients come in")
	c.Flags().BoolVar(&f.always, "ask", false, "ask even when standard input is no terminal")
	c.Flags().BoolVar(&f.force, "force", false, "replace a file that is there")
	return c
}

var (
	errBothSources = errors.New("give --to or --command, not both")
	errNoAnswer    = errors.New("say where it runs (--to :3000) or how it is started (--command \"node server.js\")")
)

func runInit(c *cobra.Command, g *global, f *initFlags) error {
	if _, err := os.Stat(f.file); err == nil && !f.force {
		return fmt.Errorf("%s is there already: --force replaces it, -c names another", f.file)
	}
	if len(f.to) > 0 && f.command != "" {
		return errBothSources
	}
	if err := f.ask(g, c.OutOrStdout()); err != nil {
		return err
	}
	text, err := f.text()
	if err != nil {
		return err
	}
	if err := checkText(f.file, text); err != nil {
		return err
	}
	if err := os.WriteFile(f.file, text, 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "wrote %s\nstart it with: holdfast up -c %s\n", f.file, f.file)
	return err
}

// ask asks what no flag answered, where somebody can answer.
func (f *initFlags) ask(g *global, w io.Writer) error {
	a := asker{w: w}
	if in, ok := g.env.Stdin.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		a.in = bufio.NewScanner(in)
	} else if g.env.Stdin != nil && f.always {
		a.in = bufio.NewScanner(g.env.Stdin)
	}
	if f.name == "" {
		f.name = a.ask("What is it called?", "app")
	}
	if len(f.to) == 0 && f.command == "" {
		where := a.ask("Where does it run (:3000, several with commas), or how is it started (node server.js)?", "")
		if err := f.source(where); err != nil {
			return err
		}
	}
	if f.command != "" && f.instances == 0 {
		f.instances = 2
	}
	if f.listen == "" {
		f.listen = a.ask("Where do clients come in?", "127.0.0.1:8080")
	}
	return nil
}

// source tells an address from a command.
func (f *initFlags) source(text string) error {
	text = strings.TrimSpace(text)
	if text == "" {
		return errNoAnswer
	}
	parts := strings.Split(text, ",")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	if _, err := config.ForTarget(parts); err == nil && !strings.Contains(strings.Join(parts, ""), " ") && strings.ContainsAny(text, ":0123456789") {
		f.to = parts
		return nil
	}
	f.command = text
	return nil
}

// asker asks on a terminal; without one every answer is the default.
type asker struct {
	w  io.Writer
	in *bufio.Scanner
}

func (a *asker) ask(question, otherwise string) string {
	if a.in == nil {
		return otherwise
	}
	if otherwise != "" {
		question += " [" + otherwise + "]"
	}
	fmt.Fprint(a.w, question+" ")
	if a.in.Scan() {
		if answer := strings.TrimSpace(a.in.Text()); answer != "" {
			return answer
		}
	}
	return otherwise
}

// text is the file. It says what is usual and leaves the defaults out.
func (f *initFlags) text() ([]byte, error) {
	var b strings.Builder
	b.WriteString("# Holdfast configuration. All keys and defaults: holdfast config reference\n")
	fmt.Fprintf(&b, "listen: %s\n", strconv.Quote(f.listen))
	b.WriteString("admin: {listen: 127.0.0.1:8081}\n")
	fmt.Fprintf(&b, "functions:\n  %s:\n    routes: [{path: /}]\n", f.name)
	b.WriteString("    circuit_breaker: {failure_threshold: 5, recovery_timeout: 60s, half_open_max_calls: 3}\n")
	b.WriteString("    retry: {attempts: 2}\n")
	if f.command != "" {
		var quoted []string
		for word := range strings.FieldsSeq(f.command) {
			quoted = append(quoted, strconv.Quote(word))
		}
		fmt.Fprintf(&b, "    platform: {process: {command: [%s], instances: %d, env: {PORT: \"{port}\"}}}\n", strings.Join(quoted, ", "), f.instances)
		return []byte(b.String()), nil
	}
	c, err := config.ForTarget(f.to)
	if err != nil {
		return nil, err
	}
	b.WriteString("    instances:\n")
	for _, fn := range c.Functions {
		for i, in := range fn.Instances {
			fmt.Fprintf(&b, "      - {id: %s-%d, url: %s}\n", f.name, i+1, strconv.Quote(in.URL))
		}
	}
	return []byte(b.String()), nil
}

// checkText loads what is about to be written: answers may be wrong.
func checkText(file string, text []byte) error {
	c, _, err := config.Load(config.Options{Files: []string{file}, ReadFile: func(string) ([]byte, error) {
		if len(text) == 0 {
			return nil, fs.ErrNotExist
		}
		return text, nil
	}})
	if err == nil {
		err = app.Check(c)
	}
	if err != nil {
		return fmt.Errorf("these answers do not make a configuration:\n%w", err)
	}
	return nil
}
