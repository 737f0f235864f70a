// Package app puts the parts together. It alone knows all of them: it reads the
// configuration, turns it into what each part wants, and connects who knows
// something with who needs it.
//
//	configuration ─► functions, routes, rules ────────► gateway
//	              ─► instances (static, or of a platform) ─► gateway, prober
//	prober   ─ verdicts ─────────────► balancer of the function
//	platform ─ starting, gone, ... ──► balancer of the function
//	gateway  ─ failed attempts ──────► prober (looks at once)
//
// A reload goes the same way as the start: load, check, apply. What did not
// change is not touched; what is wrong changes nothing.
package app
