package kubernetes

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// listPage is how many objects one answer may hold.
	listPage = 500
	// watchFor is how long a watch lasts; a list follows, which mends what a
	// watch may have lost.
	watchFor = 5 * time.Minute
	// A list or watch that fails is tried again after retryFirst, then after
	// twice as long, up to retryLast.
	retryFirst = 250 * time.Millisecond
	retryLast  = 4 * time.Second
)

// source is a set of objects to follow.
type source struct {
	cluster  *cluster
	resource schema.GroupVersionResource
	labels   string // selector; "" all
	name     string // only this one; "" all
}

func (s *source) options() metav1.ListOptions {
	o := metav1.ListOptions{LabelSelector: s.labels}
	if s.name != "" {
		o.FieldSelector = "metadata.name=" + s.name
	}
	return o
}

// followed holds what is known of a source's objects, by name. Its zero value
// knows nothing, which is not the same as that there are none.
type followed[T any] struct {
	mu    sync.Mutex
	items map[string]T
	known bool
	err   error
}

// all returns the objects by name, or why they are not known. Nil and no error:
// the first list is still under way.
func (f *followed[T]) all() (map[string]T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil || !f.known {
		return nil, f.err
	}
	return maps.Clone(f.items), nil
}

func (f *followed[T]) replace(items map[string]T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items, f.known, f.err = items, true, nil
}

func (f *followed[T]) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *followed[T]) set(name string, item T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items[name] = item
}

func (f *followed[T]) remove(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.items, name)
}

// follow keeps into up to date until ctx ends and calls changed after each
// change, also of what is wrong.
func follow[T any](ctx context.Context, s source, parse func(*unstructured.Unstructured) (T, error), into *followed[T], changed func()) {
	wait := retryFirst
	for ctx.Err() == nil {
		began := time.Now()
		if err := followOnce(ctx, s, parse, into, changed); err != nil && ctx.Err() == nil {
			into.fail(err)
			changed()
		}
		if time.Since(began) > retryLast {
			wait = retryFirst
			continue
		}
		pause(ctx, wait)
		wait = min(2*wait, retryLast)
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// followOnce lists, then watches. A watch that ends is no error: the list that
// follows tells whether something is wrong.
func followOnce[T any](ctx context.Context, s source, parse func(*unstructured.Unstructured) (T, error), into *followed[T], changed func()) error {
	items, version, err := list(ctx, s, parse)
	if err != nil {
		return err
	}
	into.replace(items)
	changed()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.watch(ctx, cancel, version)
	if err != nil {
		return err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if err := apply(event, parse, into); err != nil {
			return err
		}
		if event.Type == watch.Error {
			return nil // such as "too old resource version": list anew
		}
		changed()
	}
	return nil
}

// watch begins to watch; cancel is called if that takes too long.
func (s *source) watch(ctx context.Context, cancel func(), version string) (watch.Interface, error) {
	options := s.options()
	options.ResourceVersion = version
	seconds := int64(watchFor / time.Second)
	options.TimeoutSeconds = &seconds
	late := time.AfterFunc(callTimeout, cancel)
	defer late.Stop()
	w, err := s.cluster.of(s.resource).Watch(ctx, options)
	return w, s.cluster.explain(err, call{verb: "watch", resource: s.resource, name: s.name})
}

func apply[T any](event watch.Event, parse func(*unstructured.Unstructured) (T, error), into *followed[T]) error {
	o, ok := event.Object.(*unstructured.Unstructured)
	if !ok || event.Type == watch.Bookmark || event.Type == watch.Error {
		return nil
	}
	if event.Type == watch.Deleted {
		into.remove(o.GetName())
		return nil
	}
	item, err := parse(o)
	if err != nil {
		return err
	}
	into.set(o.GetName(), item)
	return nil
}

// list reads all objects of a source, page by page, and the resource version to
// watch from.
func list[T any](ctx context.Context, s source, parse func(*unstructured.Unstructured) (T, error)) (map[string]T, string, error) {
	items := map[string]T{}
	options := s.options()
	options.Limit = listPage
	for {
		page, err := s.page(ctx, options)
		if err != nil {
			return nil, "", err
		}
		for i := range page.Items {
			item, err := parse(&page.Items[i])
			if err != nil {
				return nil, "", err
			}
			items[page.Items[i].GetName()] = item
		}
		options.Continue = page.GetContinue()
		if options.Continue == "" {
			return items, page.GetResourceVersion(), nil
		}
	}
}

func (s *source) page(ctx context.Context, options metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	page, err := s.cluster.of(s.resource).List(ctx, options)
	return page, s.cluster.explain(err, call{verb: "list", resource: s.resource, name: s.name})
}

// names lists the keys in order, for sentences and for results that are to be
// the same each time.
func names[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
