package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/kubernetes"
)

// answers is an API that gives answers which a real one gives too rarely for a
// test. What is not in the table does not exist.
func answers(t *testing.T, table map[string]http.HandlerFunc) *kubernetes.Driver {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		key := strings.TrimPrefix(r.URL.Path, "/apis/")
		if r.URL.Query().Get("watch") != "" {
			key += " watch"
		}
		if answer, ok := table[key]; ok {
			answer(w, r)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	}))
	t.Cleanup(s.Close)
	d, err := kubernetes.New(kubernetes.Config{Kubeconfig: kubeconfig(t, s.URL), Target: "statefulset/hello", Service: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

const (
	set      = "apps/v1/namespaces/shop/statefulsets"
	podsPath = "/api/v1/namespaces/shop/pods"
	slices   = "discovery.k8s.io/v1/namespaces/shop/endpointslices"
	hpas     = "autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
	theScale = `{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"hello","resourceVersion":"7"},` +
		`"spec":{"replicas":1},"status":{"replicas":1,"selector":"app=hello"}}`
	thePods = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"hello-0","uid":"1"},` +
		`"spec":{"containers":[{"resources":{"limits":{"memory":"1Gi"},"requests":{"memory":"1Mi","cpu":"500m"}}},` +
		`{"resources":{"requests":{"cpu":"1500m","memory":"1Gi"}}}]}}]}`
)

func TestUsageIsOfLimitsOrRequests(t *testing.T) {
	t.Parallel()
	d := answers(t, map[string]http.HandlerFunc{
		set + "/hello/scale": says(theScale),
		podsPath:             says(thePods),
		"metrics.k8s.io/v1beta1/namespaces/shop/pods": says(`{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","items":[` +
			`{"metadata":{"name":"hello-0"},"timestamp":"2026-11-22T09:00:00Z","containers":[{"usage":{"cpu":"250m","memory":"256Mi"}},` +
			`{"usage":{"cpu":"250000000n","memory":"256Mi"}}]},{"metadata":{"name":"gone-0"},"timestamp":"2026-11-22T09:00:00Z"}]}`),
	})
	got, err := d.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := platform.Usage{CPUPercent: 25, MemoryPercent: 25, At: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	if len(got) != 1 || got["hello-0"] != want {
		t.Errorf("measured %+v, want %+v", got, want)
	}
}

func TestACapIsUnknownWhereAContainerHasNone(t *testing.T) {
	t.Parallel()
	d := answers(t, map[string]http.HandlerFunc{
		set + "/hello/scale": says(theScale),
		podsPath:             says(strings.ReplaceAll(thePods, `"requests":{"cpu":"1500m","memory":"1Gi"}`, ``)),
		"metrics.k8s.io/v1beta1/namespaces/shop/pods": says(`{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","items":[` +
			`{"metadata":{"name":"hello-0"},"timestamp":"2026-11-22T09:00:00Z","containers":[{"usage":{"cpu":"250m","memory":"256Mi"}}]}]}`),
	})
	got, err := d.Metrics(t.Context())
	if u := got["hello-0"]; err != nil || u.CPUPercent >= 0 || u.MemoryPercent >= 0 {
		t.Errorf("measured %+v, %v", got, err)
	}
}

func TestAMissingMetricsServerIsSaidOnce(t *testing.T) {
	t.Parallel()
	d := answers(t, map[string]http.HandlerFunc{set + "/hello/scale": says(theScale), podsPath: says(thePods)})
	if _, err := d.Metrics(t.Context()); !errors.Is(err, platform.ErrUnsupported) || !strings.Contains(err.Error(), "install metrics-server") {
		t.Errorf("first: %v", err)
	}
	if got, err := d.Metrics(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("then: %v, %v", got, err)
	}
}

// TestAWatchThatIsTooOldIsFollowedByAList, and what was known stays known.
func TestAWatchThatIsTooOldIsFollowedByAList(t *testing.T) {
	t.Parallel()
	var lists atomic.Int64
	empty := `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[]}`
	wait := func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	d := answers(t, map[string]http.HandlerFunc{
		set + "/hello/scale": says(theScale),
		set:                  says(`{"kind":"StatefulSetList","apiVersion":"apps/v1","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"hello"}}]}`),
		set + " watch":       wait,
		slices:               says(empty), slices + " watch": wait, hpas: says(empty),
		podsPath: func(w http.ResponseWriter, _ *http.Request) {
			lists.Add(1)
			fmt.Fprint(w, thePods)
		},
		podsPath + " watch": says(`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure",` +
			`"message":"too old resource version: 7 (9)","reason":"Expired","code":410}}`),
	})
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Run(ctx, func(o platform.Observation, err error) {
		if err != nil || len(o.Instances) != 1 {
			t.Errorf("told %+v, %v", o, err)
		}
		if lists.Load() >= 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
}

// TestAnOrderWhoseAnswerWasLostIsLookedUp: unknown is never success, nor
// failure where the API says otherwise.
func TestAnOrderWhoseAnswerWasLostIsLookedUp(t *testing.T) {
	t.Parallel()
	for name, taken := range map[string]bool{"taken": true, "not taken": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var written atomic.Bool
			d := answers(t, map[string]http.HandlerFunc{
				hpas: says(`{"kind":"List","apiVersion":"v1","metadata":{},"items":[]}`),
				set + "/hello/scale": func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPatch {
						written.Store(true)
						panic(http.ErrAbortHandler)
					}
					if written.Load() && taken {
						fmt.Fprint(w, strings.Replace(theScale, `"replicas":1}`, `"replicas":5}`, 1))
						return
					}
					fmt.Fprint(w, theScale)
				},
			})
			if err := d.Scale(t.Context(), platform.Order{Instances: 5}); (err == nil) != taken {
				t.Errorf("Scale: %v", err)
			}
		})
	}
}

func TestEndlessConflictsAreOne(t *testing.T) {
	t.Parallel()
	d := answers(t, map[string]http.HandlerFunc{
		hpas: says(`{"kind":"List","apiVersion":"v1","metadata":{},"items":[]}`),
		set + "/hello/scale": func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch {
				w.WriteHeader(http.StatusConflict)
				fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409}`)
				return
			}
			fmt.Fprint(w, theScale)
		},
	})
	if err := d.Scale(t.Context(), platform.Order{Instances: 5}); !errors.Is(err, platform.ErrConflict) {
		t.Errorf("Scale: %v", err)
	}
}

func TestAScaledObjectOwnsTheNumber(t *testing.T) {
	t.Parallel()
	object := `{"kind":"ScaledObjectList","apiVersion":"keda.sh/v1alpha1","metadata":{},"items":[{"metadata":{"name":"queue"},` +
		`"spec":{"scaleTargetRef":{"kind":"StatefulSet","name":"hello"}}}]}`
	d := answers(t, map[string]http.HandlerFunc{"keda.sh/v1alpha1/namespaces/shop/scaledobjects": says(object)})
	err := d.Scale(t.Context(), platform.Order{Instances: 5})
	if !errors.Is(err, platform.ErrOwned) || !strings.Contains(err.Error(), "ScaledObject queue") {
		t.Errorf("Scale: %v", err)
	}
}
