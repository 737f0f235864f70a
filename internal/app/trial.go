package app

import (
	"encoding/json"
	"strings"
	"sync"

	"holdfast/internal/admin"
	"holdfast/internal/config"
	"holdfast/internal/control"
)

// under says what would change under a State, and how a function would be scaled.
func (a *App) under(s *control.State, function string) (admin.Trial, error) {
	c, _, err := a.loadKept(s)
	if err != nil {
		return admin.Trial{}, err
	}
	var v admin.Trial
	for _, d := range config.Diff(a.config.Load(), c) {
		v.Changes = append(v.Changes, admin.ConfigDifference{Path: d.Path, Old: d.Old, New: d.New, Restart: needsRestart(d.Path)})
	}
	if f := c.Functions[function]; f != nil {
		v.Scaling = Rehearsal(function, f)
	}
	return v, nil
}

// functionSchema is the JSON Schema of a function, with the keys that the API
// may set.
func (a *App) functionSchema() []byte {
	if a.options.APICommands {
		return openSchema()
	}
	return closedSchema()
}

var (
	closedSchema = sync.OnceValue(func() []byte { return schemaWith(false) }) //nolint:gochecknoglobals // it is the program's
	openSchema   = sync.OnceValue(func() []byte { return schemaWith(true) })  //nolint:gochecknoglobals // it is the program's
)

func schemaWith(programs bool) []byte {
	var whole struct {
		Schema string         `json:"$schema"`
		Defs   map[string]any `json:"$defs"`
	}
	if err := json.Unmarshal(config.Schema(), &whole); err != nil {
		panic("read the schema of the configuration: " + err.Error()) // it was just written
	}
	const prefix = "functions.NAME."
	var keys []string
	for _, k := range config.Keys() {
		key, of := strings.CutPrefix(k.Path, prefix)
		if !of {
			continue
		}
		asked := strings.ReplaceAll(strings.ReplaceAll(k.Path, "[]", ""), "NAME", "name")
		if why, block := config.Settable(asked, programs); why == "" && !block {
			keys = append(keys, key)
		}
	}
	b, err := json.Marshal(map[string]any{
		"$schema": whole.Schema, "title": "A function of the Holdfast configuration", "$ref": "#/$defs/function", "$defs": whole.Defs, "x-settable": keys,
	})
	if err != nil {
		panic("write the schema of a function: " + err.Error()) // it was just read
	}
	return b
}
