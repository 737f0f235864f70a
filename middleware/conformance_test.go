package middleware_test

import (
	"testing"

	"go.uber.org/goleak"

	"holdfast/middleware/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheEngineConforms(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.StartHandler)
}

func TestTheEngineCarriesHeavyLoads(t *testing.T) { //nolint:paralleltest // it measures the process
	enginetest.RunHeavy(t, enginetest.StartHandler)
}
