package app

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/event"
)

// settleTime lets an editor finish writing before the file is read.
const settleTime = 200 * time.Millisecond

// watch reloads on request and when a file of the configuration changes, until
// ctx ends. Folders are watched, not files: editors and ConfigMaps replace them.
func (a *App) watch(ctx context.Context, end context.CancelCauseFunc) {
	var wg sync.WaitGroup
	defer wg.Wait()
	w, changes := a.watcher(ctx, &wg)
	var errs <-chan error
	if w != nil {
		errs = w.Errors
	}
	reload := func() {
		a.reloadAndTell()
		a.follow(ctx, w)
	}
	a.follow(ctx, w)
	var settle <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.options.Hangup:
			if len(a.origins.Load().Files()) == 0 {
				end(nil)
				return
			}
			reload()
		case <-changes:
			settle = time.After(settleTime)
		case <-a.again:
			settle = time.After(settleTime)
		case <-settle:
			settle = nil
			reload()
		case err := <-errs:
			a.logger.WarnContext(ctx, "watch configuration files: changes may go unnoticed, SIGHUP still reloads", "error", err)
		}
	}
}

// watcher returns a channel that says when a file has changed; both are nil when
// there is nothing to watch or watching is not possible.
func (a *App) watcher(ctx context.Context, wg *sync.WaitGroup) (*fsnotify.Watcher, <-chan struct{}) {
	if len(a.origins.Load().Files()) == 0 {
		return nil, nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		a.logger.WarnContext(ctx, "watch configuration files: only SIGHUP reloads", "error", err)
		return nil, nil
	}
	out := make(chan struct{}, 1)
	wg.Go(func() { a.relevant(ctx, w, out) })
	return w, out
}

// follow watches the folders in which the files are now, those that were included
// only just too. Folders that are watched already stay so.
func (a *App) follow(ctx context.Context, w *fsnotify.Watcher) {
	if w == nil {
		return
	}
	files := a.watched()
	a.ours.Store(&files)
	for _, f := range files {
		if err := w.Add(filepath.Dir(f)); err != nil && ctx.Err() == nil {
			a.logger.WarnContext(ctx, "watch configuration folder: only SIGHUP reloads", "folder", filepath.Dir(f), "error", err)
		}
	}
}

// watched are the files of the last reading, also of a faulty one, under their
// names and, where those are links, where they lead to.
func (a *App) watched() []string {
	origins := a.seen.Load()
	if origins == nil {
		origins = a.origins.Load()
	}
	var files []string
	for _, f := range origins.Files() {
		f = filepath.Clean(f)
		files = append(files, f)
		if target, err := filepath.EvalSymlinks(f); err == nil && target != f {
			files = append(files, target)
		}
	}
	return files
}

// relevant passes on changes of the configuration's own files; it ends with ctx
// and closes the watcher. Files of a folder that is linked into another (as
// ConfigMaps are) show as "..data".
func (a *App) relevant(ctx context.Context, w *fsnotify.Watcher, out chan<- struct{}) {
	defer func() { _ = w.Close() }() // nothing is left to be done about it
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.Events:
			if !ok {
				return
			}
			if e.Op != fsnotify.Chmod && a.isOurs(e.Name) {
				select {
				case out <- struct{}{}:
				default:
				}
			}
		}
	}
}

// isOurs needs no look at the disk: what links lead to is found when the files
// are read, and nothing is watched before.
func (a *App) isOurs(name string) bool {
	files := a.ours.Load()
	return files != nil && slices.Contains(*files, filepath.Clean(name)) || strings.HasPrefix(filepath.Base(name), "..data")
}

func (a *App) reloadAndTell() {
	if _, err := a.reload(); err != nil {
		a.logger.Error("configuration not changed: the new one has problems", "error", err)
	}
}

// reload reads the configuration again and applies it. A faulty one changes
// nothing. It returns what changed.
func (a *App) reload() ([]config.Change, error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	a.notify("reloading", a.passing.manager.Reloading)
	defer a.notify("ready", a.passing.manager.Ready)
	before := a.control.State()
	s, next, origins, keep, err := a.loadBest(before)
	a.seen.Store(origins)
	if err != nil {
		a.events.Publish(event.Event{Kind: event.Config, To: "refused", Reason: err.Error()})
		return nil, err
	}
	a.tellStale(origins)
	changes := config.Diff(a.config.Load(), next)
	if len(changes) == 0 {
		keep()
		a.origins.Store(origins) // lines may have moved
		a.restored(before, s)
		return nil, nil
	}
	if err := a.force(next, origins, s); err != nil {
		return changes, err
	}
	keep()
	a.restored(before, s)
	return changes, nil
}

// restored makes a State in which less is set aside the one in force. An order
// that came in between is put in force after this reload, with all that was set
// aside, so the configuration is read once more then.
func (a *App) restored(before, s *control.State) {
	if s == before || a.control.Restored(before, s) {
		return
	}
	a.logger.Info("an order came while the configuration was read: it is read again")
	select {
	case a.again <- struct{}{}:
	default: // somebody asked already
	}
}

// loadBest reads the configuration from its files under a State, with the keys
// that were set aside if they fit again.
func (a *App) loadBest(s *control.State) (used *control.State, c *config.Config, origins *config.Origins, keep func(), err error) {
	tries := []*control.State{s}
	if len(s.Unfit) > 0 {
		tries = []*control.State{s.Whole(), s}
	}
	for _, used = range tries {
		c, origins, keep, err = a.loadFresh(used)
		if err == nil {
			err = Check(c)
		}
		if err == nil {
			break
		}
	}
	return used, c, origins, keep, err
}

// tellStale says, once, of which functions the overrides are left out because no
// file has the function any more. Requires a.reloading, or that nothing runs yet.
func (a *App) tellStale(origins *config.Origins) {
	now := slices.Compact(slices.Sorted(slices.Values(origins.Stale())))
	for _, path := range now {
		if !slices.Contains(a.stale, path) {
			a.logger.Warn("overrides are not in force: no file has their function any more; they come back with it", "setting", path)
		}
	}
	a.stale = now
}

// reloadSentences is reload for those who do not know configurations.
func (a *App) reloadSentences() ([]string, error) {
	changes, err := a.reload()
	lines := make([]string, len(changes))
	for i, c := range changes {
		lines[i] = c.String()
	}
	return lines, err
}

// needsRestart names the keys that are read once.
func needsRestart(path string) bool {
	for _, p := range []string{"listen", "tls.", "admin.", "data_dir", "engine", "store", "trusted_proxies", "limits.", "shutdown_timeout", "log.format", "telemetry.traces.endpoint", "telemetry.traces.protocol", "telemetry.traces.headers", "telemetry.traces.headers.", "telemetry.traces.service_name"} {
		if path == p || strings.HasSuffix(p, ".") && strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}
