package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"holdfast/internal/store"
)

// Run reads the tokens of the store now, every Refresh, and when an unknown
// one is shown, until ctx ends. A read that fails changes nothing; it is
// logged when it begins to fail and when it works again.
func (t *Tokens) Run(ctx context.Context) error {
	if t.config.Store == nil {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(t.config.Refresh)
	defer ticker.Stop()
	for {
		t.read(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-t.kick:
		}
	}
}

// Refresh asks Run for a read now, for who hears that another node changed
// tokens. It does not wait.
func (t *Tokens) Refresh() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

// read loads the list; when this node changed something meanwhile, once more.
func (t *Tokens) read(ctx context.Context) {
	t.revokePending(ctx)
	for range 3 {
		t.mu.Lock()
		begun := t.changes
		t.mu.Unlock()
		all, err := t.config.Store.Tokens(ctx)
		if ctx.Err() != nil {
			return
		}
		if t.take(ctx, all, err, begun) {
			break
		}
	}
	t.mu.Lock()
	close(t.loaded)
	t.loaded = make(chan struct{})
	t.mu.Unlock()
}

// take makes a read the current list. False: it is older than a change made here.
func (t *Tokens) take(ctx context.Context, all []store.Token, err error, begun int) bool {
	now := time.Now()
	t.mu.Lock()
	t.tried = now
	changed := t.changes != begun
	if err == nil && !changed {
		t.list.Store(t.merge(all, now))
	}
	turned := t.failing != (err != nil)
	t.failing = err != nil
	t.mu.Unlock()
	t.report(ctx, turned, err, len(all))
	return err != nil || !changed
}

func (t *Tokens) report(ctx context.Context, turned bool, err error, count int) {
	switch {
	case turned && err != nil:
		t.config.Logger.LogAttrs(ctx, slog.LevelWarn, "tokens cannot be read, known ones stay good",
			slog.Duration("for", t.config.MaxStale), slog.String("error", Mask(err.Error())))
	case turned:
		t.config.Logger.LogAttrs(ctx, slog.LevelInfo, "tokens can be read again")
	}
	if count > t.config.Limit {
		t.config.Logger.LogAttrs(ctx, slog.LevelWarn, "too many tokens, some are not accepted",
			slog.Int("count", count), slog.Int("limit", t.config.Limit))
	}
}

// merge makes a list of what was read. Good tokens come before spent ones when
// there is not room for all. Requires t.mu.
func (t *Tokens) merge(all []store.Token, now time.Time) *tokenList {
	before := t.list.Load()
	list := &tokenList{at: now, byID: make(map[string]*knownToken, min(len(all), t.config.Limit))}
	for _, spent := range []bool{false, true} {
		for _, tok := range all {
			if _, no := t.denied[tok.ID]; no && tok.RevokedAt.IsZero() {
				tok.RevokedAt = now
			}
			over := !tok.RevokedAt.IsZero() || !tok.ExpiresAt.IsZero() && !now.Before(tok.ExpiresAt)
			if over != spent || len(list.byID) >= t.config.Limit {
				continue
			}
			used := new(atomic.Int64)
			if old := before.byID[tok.ID]; old != nil {
				used = old.used
			}
			list.byID[tok.ID] = &knownToken{tok, used}
		}
	}
	return list
}

// change replaces one token of the list.
func (t *Tokens) change(tok store.Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	before := t.list.Load()
	next := &tokenList{at: before.at, byID: maps.Clone(before.byID)}
	used := new(atomic.Int64)
	if old := before.byID[tok.ID]; old != nil {
		used = old.used
	}
	next.byID[tok.ID] = &knownToken{tok, used}
	t.list.Store(next)
}

// revokePending tells the store what was revoked here while it was down.
func (t *Tokens) revokePending(ctx context.Context) {
	t.mu.Lock()
	pending := maps.Clone(t.denied)
	t.mu.Unlock()
	for id, by := range pending {
		err := t.config.Store.RevokeToken(ctx, id, by)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return // still down; the next read tries again
		}
		t.allow(id)
	}
}

// Create makes a token and returns the secret, which exists nowhere else. A
// lifetime of 0 is for ever.
func (t *Tokens) Create(ctx context.Context, n NewToken, by store.Actor) (store.Token, string, error) {
	if err := n.validate(); err != nil {
		return store.Token{}, "", err
	}
	if t.config.Store == nil {
		return store.Token{}, "", fmt.Errorf("create token: %w: none is configured", store.ErrUnavailable)
	}
	if t.good() >= t.config.Limit {
		return store.Token{}, "", &Error{Status: 409, Message: fmt.Sprintf("there are %d tokens already", t.config.Limit), Hint: "revoke some"}
	}
	now := time.Now()
	var expires time.Time
	if n.Lifetime > 0 {
		expires = now.Add(n.Lifetime)
	}
	tok, secret := store.NewToken(n.Name, n.Role, expires, now)
	tok.CreatedBy = by.Name
	if err := t.config.Store.AddToken(ctx, tok, by); err != nil {
		return store.Token{}, "", fmt.Errorf("create token: %w", err)
	}
	t.change(tok)
	return tok, secret, nil
}

// good counts the tokens that were not revoked.
func (t *Tokens) good() int {
	n := 0
	for _, k := range t.list.Load().byID {
		if k.RevokedAt.IsZero() {
			n++
		}
	}
	return n
}

// Revoke ends a token and its sessions on this node at once, before the store
// is asked. When the store is down the error wraps store.ErrUnavailable: the
// token stays revoked here, Run tells the store as soon as it is back, and
// other nodes, or this one after a restart, accept the token until then.
func (t *Tokens) Revoke(ctx context.Context, id string, by store.Actor) error {
	if id == t.config.Bootstrap.ID && id != "" {
		return &Error{
			Status: 409, Message: "the bootstrap token is a file and cannot be revoked",
			Hint: "delete the file " + BootstrapName + " in the data directory and restart: a new one is made",
		}
	}
	if t.config.Store == nil {
		return fmt.Errorf("revoke token: %w: none is configured", store.ErrUnavailable)
	}
	t.deny(id, by)
	err := t.config.Store.RevokeToken(ctx, id, by)
	if err == nil || errors.Is(err, store.ErrNotFound) {
		t.allow(id)
		return err
	}
	return fmt.Errorf("revoke token: it is revoked here, the store does not know yet: %w", err)
}

// deny makes a token bad on this node, whatever the store says.
func (t *Tokens) deny(id string, by store.Actor) {
	known := t.list.Load().byID[id]
	t.mu.Lock()
	if known != nil || len(t.denied) < t.config.Limit {
		t.denied[id] = by
	}
	t.mu.Unlock()
	if known != nil && known.RevokedAt.IsZero() {
		tok := known.Token
		tok.RevokedAt = time.Now()
		t.change(tok)
	}
}

// allow leaves a token to the store again; reads begun before count no longer.
func (t *Tokens) allow(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.denied, id)
	t.changes++
}

// List returns all stored tokens, without secrets or hashes that would help
// anybody. It asks the store.
func (t *Tokens) List(ctx context.Context) ([]store.Token, error) {
	if t.config.Store == nil {
		return nil, fmt.Errorf("list tokens: %w: none is configured", store.ErrUnavailable)
	}
	all, err := t.config.Store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return all, nil
}
