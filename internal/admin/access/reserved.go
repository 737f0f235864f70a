package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// reserved are the names of settings that would let the API run programs, read
// files, or move the interface itself. They are reserved wherever they stand
// in a path, because a new place for an old danger is easily overlooked.
func reserved(name string) bool {
	switch name {
	case "command", "commands", "args", "exec", "process", "env", "environment", "dir", "working_dir", "file", "files",
		"include", "output", "cert", "certificate", "private_key", "key_file", "cert_file", "socket", "user", "group":
		return true
	}
	return false
}

// roots are the settings of Holdfast itself; the API changes functions only.
func root(name string) bool {
	switch name {
	case "listen", "admin", "data_dir", "store", "include", "trusted_proxies", "engine", "platform":
		return true
	}
	return false
}

// CheckOverride refuses a setting that the API may not set unless the operator
// allowed it on the command line: commands, paths and environment of
// instances, the listeners and the store. Path is dotted
// ("functions.public.retry.attempts"), value is JSON, or nil to unset. Texts
// with "${" are refused too: the API must not read variables or secret files.
// The error is an *Error that names the field.
func CheckOverride(path string, value json.RawMessage) error {
	parts := strings.Split(strings.ToLower(path), ".")
	if root(parts[0]) {
		return notThroughAPI(path)
	}
	for _, p := range parts {
		if name, _, _ := strings.Cut(p, "["); reserved(name) {
			return notThroughAPI(path)
		}
	}
	if value == nil {
		return nil
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil || d.More() {
		return &Error{Status: http.StatusBadRequest, Message: path + ": the value is not JSON"}
	}
	return checkValue(path, tree)
}

func checkValue(path string, v any) error {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "${") {
			return &Error{
				Status: http.StatusForbidden, Message: path + ": the API cannot refer to variables or files (\"${\")",
				Hint: "put it into the configuration file",
			}
		}
	case []any:
		for i, inner := range v {
			if err := checkValue(fmt.Sprintf("%s[%d]", path, i), inner); err != nil {
				return err
			}
		}
	case map[string]any:
		for k, inner := range v {
			if name := strings.ToLower(k); reserved(name) {
				return notThroughAPI(path + "." + k)
			}
			if err := checkValue(path+"."+k, inner); err != nil {
				return err
			}
		}
	}
	return nil
}

func notThroughAPI(path string) *Error {
	return &Error{
		Status: http.StatusForbidden, Message: Mask(path) + " cannot be set through the API",
		Hint: "put it into the configuration file and reload",
	}
}
