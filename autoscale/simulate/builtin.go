package simulate

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/autoscale"
)

// Reactive is what the Kubernetes Horizontal Pod Autoscaler does with a target
// of so many percent, and with its usual behaviour: a tolerance of 10 %, at
// most twice as many or 4 more in 15 s, and fewer only when that was enough for
// 5 minutes. It works on requests per second and instance, the target being
// that share of what an instance can do: processor time could not tell how much
// is missing once all is used.
func Reactive(percent float64, lowest, highest int, w World) autoscale.Policy {
	p := steady(lowest, highest, w)
	p.Targets = []autoscale.Target{{Signal: autoscale.OfferedRate, Value: percent / 100 * w.PerInstance(), Kind: autoscale.Total}}
	return p
}

// Sized is the capacity model with the rests of Reactive: only the number of
// instances that are wanted differs.
func Sized(waiting float64, lowest, highest int, w World) autoscale.Policy {
	w = w.withDefaults()
	p := steady(lowest, highest, w)
	p.Capacity = &autoscale.Capacity{Slots: w.Slots, Waiting: waiting, MaxWait: w.MaxWait, Variation: (w.ArrivalVariation + w.ServiceVariation) / 2}
	return p
}

func steady(lowest, highest int, w World) autoscale.Policy {
	w = w.withDefaults()
	return autoscale.Policy{
		Min: lowest, Max: highest, Boot: w.Boot.P95, Panic: autoscale.Panic{Off: true},
		Up:   autoscale.Limits{Rates: []autoscale.Rate{{Instances: 4, Percent: 100, Per: 15 * time.Second}}},
		Down: autoscale.Limits{Hold: 5 * time.Minute, Rates: []autoscale.Rate{{Percent: 100, Per: 15 * time.Second}}},
	}
}

// Builtin is the policy of a name: hpa-N, capacity, function or service. The
// bounds are for the first two; the profiles have their own.
func Builtin(name string, lowest, highest int, w World) (autoscale.Policy, error) {
	percent, isHPA := strings.CutPrefix(name, "hpa-")
	switch {
	case isHPA:
		v, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(v >= 1 && v <= 100) {
			return autoscale.Policy{}, fmt.Errorf("policy %q: want hpa-1 to hpa-100, such as hpa-70", name)
		}
		return Reactive(v, lowest, highest, w), nil
	case name == "capacity":
		return Sized(0, lowest, highest, w), nil
	case name == "function":
		return autoscale.FunctionPolicy(), nil
	case name == "service":
		return autoscale.ServicePolicy(), nil
	}
	return autoscale.Policy{}, fmt.Errorf("there is no policy %q: want a file, or hpa-70 (any percentage), capacity, function or service", name)
}
