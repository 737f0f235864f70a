package access_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

func TestATokenIsGoodUntilItExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		id, secret := m.put("ci", store.Operator, time.Now().Add(time.Hour))
		tokens := running(t, access.TokensConfig{Store: m})
		got, err := tokens.Verify(t.Context(), secret, time.Now())
		if err != nil || got.ID != id || got.Role != store.Operator || got.Name != "ci" {
			t.Fatalf("Verify = %+v, %v", got, err)
		}
		time.Sleep(time.Hour)
		if _, err := tokens.Verify(t.Context(), secret, time.Now()); !errors.Is(err, store.ErrTokenExpired) {
			t.Errorf("after its time: %v", err)
		}
		other := secret[:len(secret)-1] + string('0'+('1'-secret[len(secret)-1]%2))
		if _, err := tokens.Verify(t.Context(), other, time.Now()); !errors.Is(err, store.ErrTokenWrong) {
			t.Errorf("a wrong secret learns more than that it is wrong: %v", err)
		}
	})
}

func TestWhatIsNoTokenIsWrong(t *testing.T) {
	t.Parallel()
	tokens := access.NewTokens(access.TokensConfig{})
	_, good := store.NewToken("x", store.Admin, time.Time{}, time.Now())
	for _, text := range []string{"", "hf_", "hf__", "hf_0123456789ab_", good[:len(good)-1], good + "0", strings.ToUpper(good), " " + good, good} {
		if _, err := tokens.Verify(t.Context(), text, time.Now()); !errors.Is(err, store.ErrTokenWrong) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The same steps for every id: whatever is shown is hashed and compared with
// a hash of full length, and a refusal asks the store in the same way.
func TestKnownAndUnknownIDsTakeTheSamePath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		id, secret := m.put("x", store.Viewer, time.Time{})
		tokens := running(t, access.TokensConfig{Store: m, Refresh: time.Hour})
		for _, id := range []string{id, "000000000000", ""} {
			if n := len(tokens.ComparedHash(id, time.Now())); n != 32 {
				t.Errorf("id %q is compared with %d bytes", id, n)
			}
		}
		cost := func(secret string) (int, time.Duration) {
			time.Sleep(5 * time.Second)
			before, begun := m.readCount(), time.Now()
			if _, err := tokens.Verify(t.Context(), secret, time.Now()); !errors.Is(err, store.ErrTokenWrong) {
				t.Fatalf("Verify: %v", err)
			}
			return m.readCount() - before, time.Since(begun)
		}
		knownReads, knownTime := cost(secret[:16] + strings.Repeat("0", 64))
		unknownReads, unknownTime := cost("hf_000000000000_" + strings.Repeat("0", 64))
		if knownReads != unknownReads || knownTime != unknownTime || knownReads != 1 {
			t.Errorf("known id: %d reads, %v; unknown id: %d reads, %v", knownReads, knownTime, unknownReads, unknownTime)
		}
	})
}

func TestTokensStayGoodWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		_, secret := m.put("x", store.Viewer, time.Time{})
		boot, bootSecret := store.NewToken("bootstrap", store.Admin, time.Time{}, time.Now())
		tokens := running(t, access.TokensConfig{Store: m, Bootstrap: boot})
		m.setDown(true)
		time.Sleep(23 * time.Hour)
		if _, err := tokens.Verify(t.Context(), secret, time.Now()); err != nil {
			t.Errorf("after 23 h: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if _, err := tokens.Verify(t.Context(), secret, time.Now()); !errors.Is(err, access.ErrUnverifiable) {
			t.Errorf("after 25 h: %v", err)
		}
		if _, err := tokens.Verify(t.Context(), bootSecret, time.Now()); err != nil {
			t.Errorf("the bootstrap token needs the store: %v", err)
		}
		m.setDown(false)
		time.Sleep(11 * time.Second)
		if _, err := tokens.Verify(t.Context(), secret, time.Now()); err != nil {
			t.Errorf("after the store came back: %v", err)
		}
	})
}

func TestBeforeTheFirstReadNobodyIsCalledWrong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{down: true}
		_, secret := m.put("x", store.Viewer, time.Time{})
		tokens := running(t, access.TokensConfig{Store: m})
		if _, err := tokens.Verify(t.Context(), secret, time.Now()); !errors.Is(err, access.ErrUnverifiable) {
			t.Errorf("Verify: %v", err)
		}
		if _, err := tokens.Verify(t.Context(), "hf_nonsense", time.Now()); !errors.Is(err, store.ErrTokenWrong) {
			t.Errorf("nonsense: %v", err)
		}
	})
}

func TestATokenOfAnotherNodeIsGoodTheFirstTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		tokens := running(t, access.TokensConfig{Store: m, Refresh: time.Hour})
		time.Sleep(2 * time.Second)
		_, secret := m.put("x", store.Viewer, time.Time{})
		if _, err := tokens.Verify(t.Context(), secret, time.Now()); err != nil {
			t.Errorf("Verify: %v", err)
		}
	})
}

func TestStrangersCauseAtMostOneReadPerSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		tokens := running(t, access.TokensConfig{Store: m, Refresh: time.Hour})
		begun := m.readCount()
		for i := range 1000 { // 10 s, one every 10 ms
			_, err := tokens.Verify(t.Context(), fmt.Sprintf("hf_%012x_%064x", i, i), time.Now())
			if !errors.Is(err, store.ErrTokenWrong) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := m.readCount() - begun; n < 5 || n > 11 {
			t.Errorf("%d reads in 10 s", n)
		}
	})
}

func TestAWrongTokenDoesNotWaitLongForASlowStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{slow: 3 * time.Second}
		tokens := running(t, access.TokensConfig{Store: m, Refresh: time.Hour})
		time.Sleep(time.Minute)
		begun := time.Now()
		_, err := tokens.Verify(t.Context(), "hf_000000000000_"+strings.Repeat("0", 64), time.Now())
		if took := time.Since(begun); !errors.Is(err, store.ErrTokenWrong) || took > 500*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestRevokingTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		id, secret := m.put("x", store.Viewer, time.Time{})
		tokens := running(t, access.TokensConfig{Store: m, Refresh: time.Hour})
		if err := tokens.Revoke(t.Context(), id, store.Actor{Name: "root"}); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.Known(secret, time.Now()); !errors.Is(err, store.ErrTokenRevoked) {
			t.Errorf("Known: %v", err)
		}
		if _, err := tokens.Current(id, time.Now()); !errors.Is(err, store.ErrTokenRevoked) {
			t.Errorf("Current: %v", err)
		}
		if err := tokens.Revoke(t.Context(), "nobody", store.Actor{}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an id that does not exist: %v", err)
		}
	})
}

func TestRevokingWithoutTheStoreHoldsHereAndIsToldLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		id, secret := m.put("x", store.Viewer, time.Time{})
		tokens := running(t, access.TokensConfig{Store: m})
		m.setDown(true)
		if err := tokens.Revoke(t.Context(), id, store.Actor{Name: "root"}); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("Revoke: %v", err)
		}
		for range 3 {
			if _, err := tokens.Known(secret, time.Now()); !errors.Is(err, store.ErrTokenRevoked) {
				t.Errorf("Known: %v", err)
			}
			time.Sleep(11 * time.Second)
			m.setDown(false)
		}
		if m.tokens[0].RevokedAt.IsZero() {
			t.Error("the store was never told")
		}
	})
}

// A read that began before a change must not undo it.
func TestAReadUnderWayDoesNotUndoAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{slow: time.Second}
		id, old := m.put("x", store.Viewer, time.Time{})
		tokens := running(t, access.TokensConfig{Store: m, Refresh: 3 * time.Second})
		for range 40 { // all positions within a read
			time.Sleep(100 * time.Millisecond)
			_, secret, err := tokens.Create(t.Context(), access.NewToken{Name: "y", Role: store.Viewer}, store.Actor{})
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				time.Sleep(100 * time.Millisecond)
				if _, err := tokens.Known(secret, time.Now()); err != nil {
					t.Fatalf("the new token was forgotten: %v", err)
				}
			}
		}
		if err := tokens.Revoke(t.Context(), id, store.Actor{}); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			if _, err := tokens.Known(old, time.Now()); !errors.Is(err, store.ErrTokenRevoked) {
				t.Fatalf("the revoked token came back: %v", err)
			}
		}
	})
}

func TestUseIsReportedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		id, secret := m.put("x", store.Viewer, time.Time{})
		var uses atomic.Int64
		tokens := running(t, access.TokensConfig{Store: m, Used: func(u store.TokenUse) {
			if u.ID != id {
				t.Errorf("use of %s", u.ID)
			}
			uses.Add(1)
		}})
		for range 301 { // five minutes, with refreshes in between
			if _, err := tokens.Verify(t.Context(), secret, time.Now()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := uses.Load(); n < 5 || n > 6 {
			t.Errorf("%d reports in five minutes", n)
		}
	})
}

func TestCreateMakesATokenThatWorksAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		tokens := running(t, access.TokensConfig{Store: m, Limit: 2})
		tok, secret, err := tokens.Create(t.Context(), access.NewToken{Name: "ci", Role: store.Operator, Lifetime: time.Hour}, store.Actor{Name: "root"})
		if err != nil || tok.CreatedBy != "root" || !tok.ExpiresAt.Equal(time.Now().Add(time.Hour)) {
			t.Fatalf("Create = %+v, %v", tok, err)
		}
		if _, err := tokens.Known(secret, time.Now()); err != nil {
			t.Errorf("Known: %v", err)
		}
		all, err := tokens.List(t.Context())
		if err != nil || len(all) != 1 || strings.Contains(fmt.Sprintf("%+v", all), secret) {
			t.Errorf("List = %+v, %v", all, err)
		}
		if _, _, err := tokens.Create(t.Context(), access.NewToken{Name: "b", Role: store.Viewer}, store.Actor{}); err != nil {
			t.Error(err)
		}
		if _, _, err := tokens.Create(t.Context(), access.NewToken{Name: "c", Role: store.Viewer}, store.Actor{}); err == nil {
			t.Error("the limit of tokens does not hold")
		}
		m.setDown(true)
		if err := tokens.Revoke(t.Context(), tok.ID, store.Actor{}); access.AsError(err).Status != 503 {
			t.Errorf("without store: %v", err)
		}
		if _, _, err := tokens.Create(t.Context(), access.NewToken{Name: "d", Role: store.Viewer}, store.Actor{}); access.AsError(err).Status != 503 {
			t.Errorf("without store: %v", err)
		}
	})
}

func TestCreateRefusesWhatNobodyCouldTellApart(t *testing.T) {
	t.Parallel()
	tokens := access.NewTokens(access.TokensConfig{Store: &memory{}})
	_, secret := store.NewToken("x", store.Viewer, time.Time{}, time.Now())
	for name, n := range map[string]access.NewToken{
		"no name":           {Role: store.Viewer},
		"long name":         {Name: strings.Repeat("x", 65), Role: store.Viewer},
		"control character": {Name: "a\nb", Role: store.Viewer},
		"secret as name":    {Name: secret[:60], Role: store.Viewer},
		"no role":           {Name: "x"},
		"unknown role":      {Name: "x", Role: "root"},
		"negative lifetime": {Name: "x", Role: store.Viewer, Lifetime: -1},
	} {
		if _, _, err := tokens.Create(t.Context(), n, store.Actor{}); err == nil || access.AsError(err).Status != 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithoutAStoreThereIsTheBootstrapToken(t *testing.T) {
	t.Parallel()
	boot, secret := store.NewToken("bootstrap", store.Admin, time.Time{}, time.Now())
	tokens := access.NewTokens(access.TokensConfig{Bootstrap: boot})
	if got, err := tokens.Verify(t.Context(), secret, time.Now()); err != nil || got.Role != store.Admin {
		t.Errorf("Verify = %+v, %v", got, err)
	}
	if _, err := tokens.Current(boot.ID, time.Now()); err != nil {
		t.Errorf("Current: %v", err)
	}
	if err := tokens.Revoke(t.Context(), boot.ID, store.Actor{}); err == nil || !strings.Contains(access.AsError(err).Hint, "admin-token") {
		t.Errorf("Revoke: %v", err)
	}
	for _, err := range []error{
		func() error { _, err := tokens.List(t.Context()); return err }(),
		tokens.Revoke(t.Context(), "x", store.Actor{}),
		func() error {
			_, _, err := tokens.Create(t.Context(), access.NewToken{Name: "x", Role: store.Viewer}, store.Actor{})
			return err
		}(),
	} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := tokens.Run(ctx); err != nil {
		t.Error(err)
	}
}
