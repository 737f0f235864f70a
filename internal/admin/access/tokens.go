package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/store"
)

// TokenStore is where tokens outlive the process. store.Store is one.
type TokenStore interface {
	Tokens(ctx context.Context) ([]store.Token, error)
	AddToken(ctx context.Context, t store.Token, by store.Actor) error
	RevokeToken(ctx context.Context, id string, by store.Actor) error
}

// ErrUnverifiable says that a token is not in memory and the store cannot be
// asked whether it exists.
var ErrUnverifiable = errors.New("the token cannot be checked because the store is down")

// TokensConfig makes a Tokens. The zero value knows no token at all.
type TokensConfig struct {
	Store     TokenStore    // nil: only the bootstrap token
	Bootstrap store.Token   // from Bootstrap; zero: none
	Refresh   time.Duration // between reads of the store; 0: 10 s
	MaxStale  time.Duration // how long a list is trusted that could not be read again; 0: 24 h
	Limit     int           // tokens kept in memory; 0: 10,000
	// Used hears of the use of a stored token, at most once a minute for each;
	// it must not wait. Nil: nobody cares.
	Used   func(store.TokenUse)
	Logger *slog.Logger // nil: silent
}

// Tokens knows which tokens are good. Run keeps it fresh; it verifies without
// touching the store as long as the token is known. Safe for concurrent use.
type Tokens struct {
	config  TokensConfig
	decoy   store.Token // compared with when an id is unknown, so that it costs the same
	list    atomic.Pointer[tokenList]
	kick    chan struct{} // asks Run for a read now
	mu      sync.Mutex    // guards what follows, and replacing the list
	denied  map[string]store.Actor
	changes int           // counts local changes, so that a read begun before one is thrown away
	tried   time.Time     // last read, good or not
	loaded  chan struct{} // closed when a read ends
	failing bool
}

// tokenList is what a read found. It is replaced, never changed.
type tokenList struct {
	at   time.Time // of the read; zero: nothing was ever read
	byID map[string]*knownToken
}

type knownToken struct {
	store.Token
	used *atomic.Int64 // unix seconds of the last use that was reported
}

const (
	defaultRefresh  = 10 * time.Second
	defaultMaxStale = 24 * time.Hour
	defaultTokens   = 10_000
	lookAgainGap    = time.Second            // at most one extra read in this time
	lookAgainWait   = 500 * time.Millisecond // a wrong token waits for it no longer
	useStep         = time.Minute
)

// NewTokens makes a Tokens that knows only the bootstrap token before Run.
func NewTokens(c TokensConfig) *Tokens {
	c.Refresh = orDefault(c.Refresh, defaultRefresh)
	c.MaxStale = orDefault(c.MaxStale, defaultMaxStale)
	c.Limit = orDefault(c.Limit, defaultTokens)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	t := &Tokens{config: c, kick: make(chan struct{}, 1), denied: map[string]store.Actor{}, loaded: make(chan struct{})}
	t.decoy, _ = store.NewToken("decoy", "", time.Time{}, time.Time{})
	t.list.Store(&tokenList{byID: map[string]*knownToken{}})
	return t
}

// orDefault is v, or otherwise when v is not positive.
func orDefault[T int | int64 | float64 | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// Verify returns the token a secret belongs to. Errors: store.ErrTokenWrong,
// ErrTokenExpired or ErrTokenRevoked (the last two only for the right secret),
// ErrUnverifiable. A secret that is not accepted, known id or not, waits up to
// half a second for a fresh read, because another node may have just made it;
// there is at most one such read per second.
func (t *Tokens) Verify(ctx context.Context, secret string, now time.Time) (store.Token, error) {
	tok, err := t.Known(secret, now)
	if err == nil || !errors.Is(err, store.ErrTokenWrong) && !errors.Is(err, ErrUnverifiable) {
		return tok, err
	}
	if !validSecret(secret) {
		return store.Token{}, store.ErrTokenWrong
	}
	if !t.lookAgain(ctx, now) {
		return store.Token{}, err
	}
	return t.Known(secret, now)
}

// Known is Verify with what is in memory; it never waits. Known and unknown ids
// take the same steps: one lookup, one hash, one comparison in constant time.
func (t *Tokens) Known(secret string, now time.Time) (store.Token, error) {
	id, _ := store.TokenID(secret)
	list := t.list.Load()
	tok, stale, used := t.find(list, id, now)
	if err := tok.Check(secret, now); err != nil {
		if stale && errors.Is(err, store.ErrTokenWrong) {
			err = ErrUnverifiable
		}
		return store.Token{}, err
	}
	t.note(tok.ID, used, now)
	return *tok, nil
}

// find returns the token to compare with: the bootstrap token, a known one, or
// the decoy; nobody changes it. Stale says that an unknown token may exist
// all the same.
func (t *Tokens) find(list *tokenList, id string, now time.Time) (tok *store.Token, stale bool, used *atomic.Int64) {
	tok = &t.decoy
	stale = t.config.Store != nil && now.Sub(list.at) > t.config.MaxStale
	if known := list.byID[id]; known != nil && !stale {
		tok, used = &known.Token, known.used
	}
	if id == t.config.Bootstrap.ID && id != "" {
		tok, used = &t.config.Bootstrap, nil
	}
	return tok, stale, used
}

// Current returns nil as long as the token of this id is good, for who has
// shown its secret before.
func (t *Tokens) Current(id string, now time.Time) (store.Token, error) {
	tok, stale, used := t.find(t.list.Load(), id, now)
	switch {
	case tok.ID != id && stale:
		return store.Token{}, ErrUnverifiable
	case tok.ID != id:
		return store.Token{}, store.ErrTokenRevoked
	case !tok.RevokedAt.IsZero():
		return store.Token{}, store.ErrTokenRevoked
	case !tok.ExpiresAt.IsZero() && !now.Before(tok.ExpiresAt):
		return store.Token{}, store.ErrTokenExpired
	}
	t.note(id, used, now)
	return *tok, nil
}

// note reports a use, once in a minute.
func (t *Tokens) note(id string, used *atomic.Int64, now time.Time) {
	if used == nil || t.config.Used == nil {
		return
	}
	last := used.Load()
	if now.Unix()-last >= int64(useStep/time.Second) && used.CompareAndSwap(last, now.Unix()) {
		t.config.Used(store.TokenUse{ID: id, At: now})
	}
}

// lookAgain waits until Run has read the store once more. False: it was just
// read, or takes too long.
func (t *Tokens) lookAgain(ctx context.Context, now time.Time) bool {
	if t.config.Store == nil {
		return false
	}
	t.mu.Lock()
	loaded, recent := t.loaded, now.Sub(t.tried) < lookAgainGap
	t.mu.Unlock()
	if recent {
		return false
	}
	select {
	case t.kick <- struct{}{}:
	default: // somebody asked already
	}
	timer := time.NewTimer(lookAgainWait)
	defer timer.Stop()
	select {
	case <-loaded:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// fromSecret makes the stored form of a secret that did not come from the
// store. It returns an error that does not quote the secret.
func fromSecret(secret, name string, role store.Role) (store.Token, error) {
	if !validSecret(secret) {
		return store.Token{}, fmt.Errorf("want hf_<12 digits>_<64 digits>, found %d bytes of something else", len(secret))
	}
	id, _ := store.TokenID(secret)
	hash := sha256.Sum256([]byte(secret))
	return store.Token{ID: id, Name: name, Role: role, Hash: hash[:]}, nil
}
