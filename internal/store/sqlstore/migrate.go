package sqlstore

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3"

	"holdfast/internal/store"
)

// Migrate applies what is missing. Tables of a newer program are left alone.
func Migrate(ctx context.Context, p *goose.Provider) error {
	have, known, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return err
	case have > known:
		return &store.Error{
			Op: "create tables", Kind: store.ErrTooNew,
			Err:  fmt.Errorf("they are version %d, this program knows %d", have, known),
			Hint: "start the Holdfast that made them, or a newer one",
		}
	case have == known:
		return nil
	}
	_, err = p.Up(ctx)
	return err
}
