package config_test

import (
	"fmt"

	"holdfast/internal/config"
)

func ExampleLoad() {
	const text = `
functions:
  public:
    routes: [{path: /api/}]
    retry: {attempts: 12}
    instances: [{url: "localhost:3000", wieght: 2}]
`
	_, _, err := config.Load(config.Options{
		Files:    []string{"holdfast.yaml"},
		Environ:  []string{"HOLDFAST_LOG_LEVEL=debug"},
		ReadFile: func(string) ([]byte, error) { return []byte(text), nil },
	})
	fmt.Println(err)
	// Output:
	// holdfast.yaml:5:23: functions.public.retry.attempts: must be between 0 and 5, is 12; leave it out for the default, 2
	// holdfast.yaml:6:23: functions.public.instances[0].url: must begin with http:// or https://, is "localhost:3000"; write http://localhost:3000
	// holdfast.yaml:6:41: functions.public.instances[0].wieght: is not a known key; did you mean weight?
	// HOLDFAST_LOG_LEVEL: names no key; did you mean HOLDFAST_LOG__LEVEL? Levels are separated by two underscores
}

func ExampleDiff() {
	old := config.Default()
	changed := config.Default()
	changed.Log.Level = "debug"
	for _, change := range config.Diff(old, changed) {
		fmt.Println(change)
	}
	// Output: log.level: info -> debug
}
