package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"holdfast/internal/store"
)

const (
	actionColumns   = "id, function_name, action, instance_count_before, instance_count_after, trigger_reason, metrics, success, error_message, created_at"
	eventColumns    = "id, node, kind, function_name, instance_id, from_state, to_state, source, reason, data, created_at"
	decisionColumns = "id, node, kind, function_name, rule, inputs, result, created_at"
	minutesColumns  = "id, node, minute, part, data"
)

// factTable returns where a kind of fact goes.
func factTable(k store.Kind) table {
	const known = "ON CONFLICT (id) DO NOTHING"
	switch k {
	case store.KindAction:
		return table{"scaling_actions", actionColumns, known}
	case store.KindEvent:
		return table{"holdfast_events", eventColumns, known}
	case store.KindDecision:
		return table{"holdfast_decisions", decisionColumns, known}
	case store.KindMinutes:
		return table{"holdfast_minutes", minutesColumns, known}
	case store.Kinds:
	}
	return table{}
}

// AppendFacts implements store.Facts.
func (d *DB) AppendFacts(ctx context.Context, facts []store.Fact) error {
	var rows [store.Kinds][][]any
	for _, f := range facts {
		row, err := factRow(f)
		if err != nil {
			return &store.Error{Op: "append facts", Kind: store.ErrRejected, Err: err}
		}
		rows[f.FactKind()] = append(rows[f.FactKind()], row)
	}
	return d.Write(ctx, "append facts", func(ctx context.Context, tx *sql.Tx) error {
		for k := range store.Kinds {
			if err := d.insert(ctx, tx, factTable(k), rows[k]); err != nil {
				return err
			}
		}
		return nil
	})
}

func factRow(f store.Fact) ([]any, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	switch f := f.(type) {
	case store.ScalingAction:
		return []any{
			f.ID, store.Text(f.Function), f.Action, f.Before, f.After, orNull(f.Reason), store.Document(f.Metrics),
			f.Success, orNull(f.ErrorMessage), stamp(f.CreatedAt),
		}, nil
	case store.Event:
		return []any{
			f.ID, store.Text(f.Node), store.Text(f.Kind), store.Text(f.Function), store.Text(f.Instance), store.Text(f.From),
			store.Text(f.To), store.Text(f.Source), store.Text(f.Reason), store.Document(f.Data), stamp(f.At),
		}, nil
	case store.Decision:
		return []any{
			f.ID, store.Text(f.Node), store.Text(f.Kind), store.Text(f.Function), store.Text(f.Rule),
			store.Document(f.Inputs), store.Document(f.Result), stamp(f.At),
		}, nil
	case store.Minutes:
		return []any{f.ID, store.Text(f.Node), f.Minute, f.Part, f.Data}, nil
	}
	return nil, fmt.Errorf("unknown fact %T", f)
}

// page writes the end of a query over a log: conditions, order and limit.
func page(q store.Query, tbl, function, kind string) (where string, args []any) {
	var b strings.Builder
	add := func(condition string, arg any) {
		args = append(args, arg)
		b.WriteString(" AND ")
		b.WriteString(strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	if q.Function != "" {
		add(function+" = ?", q.Function)
	}
	if q.Kind != "" && kind != "" {
		add(kind+" = ?", q.Kind)
	}
	if !q.From.IsZero() {
		add("created_at >= ?", stamp(q.From))
	}
	if !q.To.IsZero() {
		add("created_at < ?", stamp(q.To))
	}
	if q.Before != uuid.Nil {
		add("(created_at, id) < (SELECT created_at, id FROM "+tbl+" WHERE id = ?)", q.Before)
	}
	return " WHERE true" + b.String() + " ORDER BY created_at DESC, id DESC LIMIT " + strconv.Itoa(q.Size()), args
}

// ScalingActions implements store.Facts.
func (d *DB) ScalingActions(ctx context.Context, q store.Query) ([]store.ScalingAction, error) {
	where, args := page(q, "scaling_actions", "function_name", "action")
	return listed(ctx, d, "read scaling actions", func(r *sql.Rows, a *store.ScalingAction) error {
		return r.Scan(&a.ID, &a.Function, &a.Action, &a.Before, &a.After, text{&a.Reason}, document{&a.Metrics}, &a.Success,
			text{&a.ErrorMessage}, when{&a.CreatedAt})
	}, "SELECT "+actionColumns+" FROM scaling_actions"+where, args...)
}

// Events implements store.Facts.
func (d *DB) Events(ctx context.Context, q store.Query) ([]store.Event, error) {
	where, args := page(q, "holdfast_events", "function_name", "kind")
	return listed(ctx, d, "read events", func(r *sql.Rows, e *store.Event) error {
		return r.Scan(&e.ID, &e.Node, &e.Kind, &e.Function, &e.Instance, &e.From, &e.To, &e.Source, &e.Reason,
			document{&e.Data}, when{&e.At})
	}, "SELECT "+eventColumns+" FROM holdfast_events"+where, args...)
}

// Decisions implements store.Facts.
func (d *DB) Decisions(ctx context.Context, q store.Query) ([]store.Decision, error) {
	where, args := page(q, "holdfast_decisions", "function_name", "kind")
	return listed(ctx, d, "read decisions", func(r *sql.Rows, e *store.Decision) error {
		return r.Scan(&e.ID, &e.Node, &e.Kind, &e.Function, &e.Rule, document{&e.Inputs}, document{&e.Result}, when{&e.At})
	}, "SELECT "+decisionColumns+" FROM holdfast_decisions"+where, args...)
}
