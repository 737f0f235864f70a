package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// routes checks that every function can be reached and that no request belongs
// to two functions equally.
func (s *settler) routes() {
	seen := map[string]string{} // what a route matches -> its path
	targets := s.fallbackTargets()
	for _, name := range slices.Sorted(maps.Keys(s.config.Functions)) {
		f := s.config.Functions[name]
		if len(f.Routes) == 0 && !targets[name] && s.sound("functions."+name+".routes") {
			s.add("functions."+name+".routes", "is missing, and no other function falls back to this one", "add routes: [{path: /"+name+"/}]")
		}
		for i, r := range f.Routes {
			path := fmt.Sprintf("functions.%s.routes[%d]", name, i)
			if !s.sound(path) {
				continue
			}
			for _, match := range r.matches() {
				if other, ok := seen[match]; ok {
					s.add(path, "matches the same requests as "+other, "make one of them more specific by host, path, methods or headers")
					break
				}
				seen[match] = path
			}
		}
	}
}

// matches has one text for each method the route takes; routes that share one
// match the same requests equally well.
func (r Route) matches() []string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %t %q", r.Host, r.Exact, r.Path)
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		fmt.Fprintf(&b, " %s=%q", strings.ToLower(name), r.Headers[name])
	}
	out := []string{b.String()}
	for i, method := range r.Methods {
		if i == 0 {
			out = nil
		}
		out = append(out, method+" "+b.String())
	}
	return out
}

func (s *settler) fallbackTargets() map[string]bool {
	targets := map[string]bool{}
	for _, f := range s.config.Functions {
		targets[f.Fallback.Function] = true
	}
	return targets
}

// maxFallbacks is how many functions an exchange falls back through.
const maxFallbacks = 3

// longFallbacks reports chains that an exchange would not follow to their end.
func (s *settler) longFallbacks(names []string) {
	for _, name := range names {
		chain := []string{name}
		for next := s.config.Functions[name].Fallback.Function; next != "" && s.config.Functions[next] != nil && !slices.Contains(chain, next); next = s.config.Functions[next].Fallback.Function {
			chain = append(chain, next)
			if len(chain) > 1+maxFallbacks {
				s.add("functions."+name+".fallback.function", fmt.Sprintf("falls back through more than %d functions: %s", maxFallbacks, strings.Join(chain, " -> ")), "shorten the chain")
				break
			}
		}
	}
}

// fallbacks checks that every chain of fallbacks ends soon, at a function that
// exists.
func (s *settler) fallbacks() {
	functions := s.config.Functions
	names := slices.Sorted(maps.Keys(functions))
	s.longFallbacks(names)
	done := map[string]bool{} // known to end
	for _, name := range names {
		var chain []string
		for at := name; !done[at]; at = functions[at].Fallback.Function {
			if i := slices.Index(chain, at); i >= 0 {
				s.cycle(chain[i:])
				break
			}
			chain = append(chain, at)
			next := functions[at].Fallback.Function
			if next == "" {
				break
			}
			if functions[next] == nil {
				if s.problems.at["functions."+next] {
					break // it is there, but unreadable
				}
				s.unknownFallback(at, next, names)
				break
			}
		}
		for _, at := range chain {
			done[at] = true
		}
	}
}

func (s *settler) cycle(chain []string) {
	s.add("functions."+chain[0]+".fallback.function", "falls back in a circle: "+strings.Join(append(slices.Clone(chain), chain[0]), " -> "), "end the chain with a static answer or a redirect")
}

func (s *settler) unknownFallback(name, next string, names []string) {
	hint := "functions: " + clip(strings.Join(names, ", "))
	if near := nearest(next, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	s.add("functions."+name+".fallback.function", "names the function "+clip(next)+", which does not exist", hint)
}
