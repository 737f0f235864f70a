package sqlstore

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/store"
)

// layout sorts as text like the times it stands for.
const layout = "2006-01-02T15:04:05.000000Z"

// stamp is the parameter for a time; the zero time is NULL.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(layout)
}

// when scans a time written by either database; NULL is the zero time.
type when struct{ to *time.Time }

func (w when) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*w.to = time.Time{}
	case time.Time:
		*w.to = v.UTC()
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return fmt.Errorf("read time: %w", err)
		}
		*w.to = t.UTC()
	default:
		return fmt.Errorf("read time: got %T", v)
	}
	return nil
}

// document scans JSON; NULL is nil.
type document struct{ to *json.RawMessage }

func (d document) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*d.to = nil
	case []byte:
		*d.to = append(json.RawMessage(nil), v...)
	case string:
		*d.to = json.RawMessage(v)
	default:
		return fmt.Errorf("read document: got %T", v)
	}
	return nil
}

// text scans a nullable text; NULL is "".
type text struct{ to *string }

func (t text) Scan(v any) error {
	var s sql.NullString
	err := s.Scan(v)
	*t.to = s.String
	return err
}

// orNull is the parameter for a text that is NULL when empty.
func orNull(s string) any {
	if s = store.Text(s); s == "" {
		return nil
	}
	return s
}

// docOrNull is the parameter for a document that is NULL when there is none.
func docOrNull(doc json.RawMessage) any {
	if len(doc) == 0 {
		return nil
	}
	return store.Document(doc)
}

// placeholders writes "($1,$2),($3,$4)" for rows of a width, counting from first.
func placeholders(first, rows, width int) string {
	var b strings.Builder
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for c := range width {
			if c > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(first + r*width + c))
		}
		b.WriteByte(')')
	}
	return b.String()
}
