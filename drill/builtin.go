package drill

import (
	"embed"
	"fmt"
)

//go:embed builtin/*.yaml
var builtin embed.FS

// Names are the experiments that are built in, in the order they are told.
func Names() []string {
	return []string{
		"breaker", "balance", "scale", "failover", "hang", "slow-instance", "bad-network", "bad-answers", "cut-answers", "flapping", "overload",
		"bad-deploy", "store-lost", "database-lost",
	}
}

// Builtin returns an experiment that is built in, in its short form.
func Builtin(name string) (*Experiment, error) {
	b, err := builtin.ReadFile("builtin/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no experiment %q", name)
	}
	return Parse(b, name+".yaml")
}
