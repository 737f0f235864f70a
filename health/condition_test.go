package health_test

import (
	"testing"

	"holdfast/health"
)

func TestConditionsAreParsedAndWritten(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want health.Condition
	}{
		{"status = ok", health.Condition{Field: "status", Op: health.Equal, Value: "ok"}},
		{"status==ok", health.Condition{Field: "status", Op: health.Equal, Value: "ok"}},
		{`a.b != "x = y"`, health.Condition{Field: "a.b", Op: health.NotEqual, Value: "x = y"}},
		{"n<=-1.5e3", health.Condition{Field: "n", Op: health.LessOrEqual, Value: "-1.5e3"}},
		{"n >= 2", health.Condition{Field: "n", Op: health.GreaterOrEqual, Value: "2"}},
		{"n > 2", health.Condition{Field: "n", Op: health.Greater, Value: "2"}},
		{"n < 2", health.Condition{Field: "n", Op: health.Less, Value: "2"}},
		{`n = ""`, health.Condition{Field: "n", Op: health.Equal, Value: ""}},
		{"message =", health.Condition{Field: "message", Op: health.Equal, Value: ""}},
		{`message = "=x"`, health.Condition{Field: "message", Op: health.Equal, Value: "=x"}},
	}
	for _, test := range tests {
		got, err := health.ParseCondition(test.text)
		if err != nil || got != test.want {
			t.Errorf("%q: %+v, %v", test.text, got, err)
			continue
		}
		if again, err := health.ParseCondition(got.String()); err != nil || again != got {
			t.Errorf("%q reads back as %+v, %v", got.String(), again, err)
		}
	}
	for _, text := range []string{"", "status", "= ok", "n < many", `n = "x`, "n ! 3", "n <", "n < NaN", "n > -Inf"} {
		if got, err := health.ParseCondition(text); err == nil {
			t.Errorf("%q is taken as %+v", text, got)
		}
	}
}
