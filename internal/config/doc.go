// Package config reads what an operator wrote and turns it into one Config, or
// into the complete list of what is wrong with it.
//
// # Where a value comes from
//
// Four layers are laid over each other, key by key; a later layer wins:
//
//		defaults  <  files  <  environment  <  overrides
//
//	  - Defaults are the `default` tags of the structs. Scaling thresholds have a
//	    second set for `profile: service`.
//	  - Files are merged in the order given. What a file includes is merged
//	    first, so a file always wins over its includes. Mappings are merged key
//	    by key, lists are replaced as a whole. `null` counts as not written.
//	  - The environment is HOLDFAST_ plus the path in upper case with two
//	    underscores between levels (HOLDFAST_FUNCTIONS__PUBLIC__RETRY__ATTEMPTS),
//	    and the variables named in environ.go. An empty variable counts as
//	    not set.
//	  - Overrides come from the admin API and are handed in by the caller.
//
// The block `defaults:` of a file lies under every function: it wins over the
// built-in defaults and loses against anything the function itself says, in
// whatever layer. Origins tells for each path which layer won, and where.
//
// # Strictness
//
// A typo must not disable protection, so a key nobody knows is a problem, and
// so is a value that cannot be meant. Reading never stops at the first problem:
// each file is parsed into a tree that keeps positions (node), the trees are
// merged, and one walk over the merged tree fills the structs and collects
// every Problem with file, line, column, path, one sentence and the way out.
// Only a file that is not YAML at all contributes a single problem.
//
// # What is never trusted
//
// File size, nesting, the number of files and the work that aliases, includes
// and defaults can multiply are all bounded (limits in files.go and parse.go).
// ${VAR} and ${file:PATH} are expanded in files only: a value that arrives
// through the environment or the API is taken literally, so neither can read
// a file of the host.
//
// # Secrets
//
// Passwords inside URLs, headers and environment entries with telling names,
// and everything read by ${file:} are masked in problems, Diff and the masked
// form of Marshal.
//
// A loaded Config is never changed again and may be read from any goroutine.
// Functions may share slices and maps that came from the defaults.
package config

//go:generate go run ./gen
