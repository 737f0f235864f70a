package config

import (
	_ "embed" // of the manual
	"encoding/json"
	"fmt"
	"reflect"
)

//go:embed manual.json
var manualJSON []byte

// manual holds the comments of the structs: `Type` and `Type.Field`.
type manual map[string]string

func readManual() manual {
	m := manual{}
	if err := json.Unmarshal(manualJSON, &m); err != nil {
		panic(fmt.Sprintf("embedded manual: %v", err)) // generated, and tested
	}
	return m
}

func (m manual) field(f *field) string { return m[f.owner.Name()+"."+f.name] }

func (m manual) block(t reflect.Type) string { return m[t.Name()] }
