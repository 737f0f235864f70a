package httpload_test

import (
	"testing"
	"time"

	"holdfast/loadtest/httpload"
)

func TestCalibrationFindsACeiling(t *testing.T) {
	t.Parallel()
	c, err := httpload.Calibrate(t.Context(), 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f requests/s, %v of CPU each", c.Rate, c.CPU)
	if c.Rate < 200 || c.CPU < time.Microsecond || c.CPU > 50*time.Millisecond {
		t.Errorf("%v requests/s at %v of CPU each are not what a machine does", c.Rate, c.CPU)
	}
}
