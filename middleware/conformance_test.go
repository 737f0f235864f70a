package middleware_test

import (
	"testing"

	"go.uber.org/goleak"

	"holdfast/middleware/enginetest"
	"holdfast/test/need"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheEngineConforms(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.StartHandler)
}

func TestTheEngineCarriesHeavyLoads(t *testing.T) { //nolint:paralleltest // it measures the process
	need.Plain(t) // the race detector is slow, and memory counts differently
	enginetest.RunHeavy(t, enginetest.StartHandler)
}
