package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/internal/store"
)

const (
	instanceColumns  = "id, function_name, endpoint, status, health, connections, last_request, created_at, updated_at"
	breakerColumns   = "function_name, state, failure_count, last_failure, next_attempt, half_open_calls, config, created_at, updated_at"
	nodeStateColumns = "node, kind, name, data, updated_at"
)

// The tables of states: a row with the same or a newer stamp stays.
func instanceTable() table {
	return table{"function_instances", instanceColumns, `ON CONFLICT (id) DO UPDATE SET function_name = excluded.function_name,
endpoint = excluded.endpoint, status = excluded.status, health = excluded.health, connections = excluded.connections,
last_request = excluded.last_request, updated_at = excluded.updated_at
WHERE function_instances.updated_at < excluded.updated_at`}
}

func breakerTable() table {
	return table{"circuit_breaker_states", breakerColumns, `ON CONFLICT (function_name) DO UPDATE SET state = excluded.state,
failure_count = excluded.failure_count, last_failure = excluded.last_failure, next_attempt = excluded.next_attempt,
half_open_calls = excluded.half_open_calls, config = excluded.config, updated_at = excluded.updated_at
WHERE circuit_breaker_states.updated_at < excluded.updated_at`}
}

func nodeStateTable() table {
	return table{"holdfast_node_states", nodeStateColumns, `ON CONFLICT (node, kind, name) DO UPDATE SET data = excluded.data,
updated_at = excluded.updated_at WHERE holdfast_node_states.updated_at < excluded.updated_at`}
}

// stateRows are states sorted out by where they go.
type stateRows struct {
	instances, breakers, nodes [][]any
	gone                       []store.InstanceGone
	uses                       []store.TokenUse
}

// SaveStates implements store.States.
func (d *DB) SaveStates(ctx context.Context, states []store.State) error {
	rows, err := sortOut(states)
	if err != nil {
		return &store.Error{Op: "save states", Kind: store.ErrRejected, Err: err}
	}
	return d.Write(ctx, "save states", func(ctx context.Context, tx *sql.Tx) error { return d.saveRows(ctx, tx, rows) })
}

func (d *DB) saveRows(ctx context.Context, tx *sql.Tx, rows stateRows) error {
	if err := d.insert(ctx, tx, instanceTable(), rows.instances); err != nil {
		return err
	}
	if err := d.insert(ctx, tx, breakerTable(), rows.breakers); err != nil {
		return err
	}
	if err := d.insert(ctx, tx, nodeStateTable(), rows.nodes); err != nil {
		return err
	}
	for _, g := range rows.gone {
		if _, err := tx.ExecContext(ctx, "DELETE FROM function_instances WHERE id = $1 AND updated_at < $2", g.ID, stamp(g.At)); err != nil {
			return err
		}
	}
	for _, u := range rows.uses {
		if _, err := tx.ExecContext(ctx, `UPDATE holdfast_tokens SET last_used_at = $1
WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $3)`, stamp(u.At), u.ID, stamp(u.At)); err != nil {
			return err
		}
	}
	return nil
}

// sortOut keeps the newest state of each key, in the order of keys: two nodes that lock the same rows in the same order
// wait for each other, in different orders they deadlock.
func sortOut(states []store.State) (stateRows, error) {
	var rows stateRows
	newest := make(map[string]store.State, len(states))
	for _, s := range states {
		if err := s.Validate(); err != nil {
			return rows, err
		}
		if old, ok := newest[s.Key()]; !ok || old.Stamp().Before(s.Stamp()) {
			newest[s.Key()] = s
		}
	}
	for _, key := range slices.Sorted(maps.Keys(newest)) {
		if err := rows.add(newest[key]); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

func (r *stateRows) add(s store.State) error {
	at := stamp(s.Stamp())
	if at == nil {
		return fmt.Errorf("state without a stamp")
	}
	switch s := s.(type) {
	case store.Instance:
		r.instances = append(r.instances, []any{
			store.Text(s.ID), store.Text(s.Function), store.Text(s.Endpoint), s.Status, store.Document(s.Health),
			s.Connections, stamp(s.LastRequest), cmp.Or(stamp(s.CreatedAt), at), at,
		})
	case store.Breaker:
		r.breakers = append(r.breakers, []any{
			store.Text(s.Function), s.State, s.FailureCount, stamp(s.LastFailure), stamp(s.NextAttempt), s.HalfOpenCalls,
			store.Document(s.Config), cmp.Or(stamp(s.CreatedAt), at), at,
		})
	case store.NodeState:
		r.nodes = append(r.nodes, []any{store.Text(s.Node), store.Text(s.Kind), store.Text(s.Name), store.Document(s.Data), at})
	case store.InstanceGone:
		r.gone = append(r.gone, s)
	case store.TokenUse:
		r.uses = append(r.uses, s)
	default:
		return fmt.Errorf("unknown state %T", s)
	}
	return nil
}

// Instances implements store.States.
func (d *DB) Instances(ctx context.Context, function string) ([]store.Instance, error) {
	return listed(ctx, d, "read instances", func(r *sql.Rows, i *store.Instance) error {
		return r.Scan(&i.ID, &i.Function, &i.Endpoint, &i.Status, document{&i.Health}, &i.Connections, when{&i.LastRequest},
			when{&i.CreatedAt}, when{&i.UpdatedAt})
	}, "SELECT "+instanceColumns+" FROM function_instances WHERE $1 = '' OR function_name = $2 ORDER BY function_name, id", function, function)
}

// Breakers implements store.States.
func (d *DB) Breakers(ctx context.Context) ([]store.Breaker, error) {
	return listed(ctx, d, "read breakers", func(r *sql.Rows, b *store.Breaker) error {
		return r.Scan(&b.Function, &b.State, &b.FailureCount, when{&b.LastFailure}, when{&b.NextAttempt}, &b.HalfOpenCalls,
			document{&b.Config}, when{&b.CreatedAt}, when{&b.UpdatedAt})
	}, "SELECT "+breakerColumns+" FROM circuit_breaker_states ORDER BY function_name")
}

// NodeStates implements store.States.
func (d *DB) NodeStates(ctx context.Context, node, kind string) ([]store.NodeState, error) {
	return listed(ctx, d, "read node states", func(r *sql.Rows, n *store.NodeState) error {
		return r.Scan(&n.Node, &n.Kind, &n.Name, document{&n.Data}, when{&n.UpdatedAt})
	}, "SELECT "+nodeStateColumns+" FROM holdfast_node_states WHERE node = $1 AND kind = $2 ORDER BY name", node, kind)
}

// LatestStamp implements store.States.
func (d *DB) LatestStamp(ctx context.Context) (latest time.Time, err error) {
	err = d.Read(ctx, "read the latest stamp", func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, `SELECT max(updated_at) FROM (
SELECT max(updated_at) AS updated_at FROM function_instances
UNION ALL SELECT max(updated_at) FROM circuit_breaker_states
UNION ALL SELECT max(updated_at) FROM holdfast_node_states) AS stamps`).Scan(when{&latest})
	})
	return latest, err
}
