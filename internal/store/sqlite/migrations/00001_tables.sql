-- The four tables of every installation, with the meaning they have on PostgreSQL: times are UTC text with microseconds,
-- documents are JSON text.
-- +goose Up
CREATE TABLE IF NOT EXISTS function_instances (
  id TEXT PRIMARY KEY,
  function_name TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'inactive', 'recovering', 'failed')),
  health TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(health)),
  connections INTEGER NOT NULL DEFAULT 0,
  last_request TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
);
CREATE INDEX IF NOT EXISTS holdfast_instances_function ON function_instances (function_name);

CREATE TABLE IF NOT EXISTS circuit_breaker_states (
  function_name TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
  failure_count INTEGER NOT NULL DEFAULT 0,
  last_failure TEXT,
  next_attempt TEXT,
  half_open_calls INTEGER NOT NULL DEFAULT 0,
  config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(config)),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
);

CREATE TABLE IF NOT EXISTS auto_recovery_configs (
  function_name TEXT PRIMARY KEY,
  recovery_config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(recovery_config)),
  load_balancing_config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(load_balancing_config)),
  scaling_config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(scaling_config)),
  enabled BOOLEAN NOT NULL DEFAULT true,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
);

CREATE TABLE IF NOT EXISTS scaling_actions (
  id TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
    || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))),
  function_name TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('scale_up', 'scale_down', 'failover', 'recovery')),
  instance_count_before INTEGER NOT NULL,
  instance_count_after INTEGER NOT NULL,
  trigger_reason TEXT,
  metrics TEXT DEFAULT '{}' CHECK (json_valid(metrics)),
  success BOOLEAN NOT NULL DEFAULT true,
  error_message TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
);
CREATE INDEX IF NOT EXISTS holdfast_actions_time ON scaling_actions (created_at, id);
CREATE INDEX IF NOT EXISTS holdfast_actions_function ON scaling_actions (function_name, created_at);

-- Tables of our own.
CREATE TABLE IF NOT EXISTS holdfast_events (
  id TEXT PRIMARY KEY,
  node TEXT NOT NULL,
  kind TEXT NOT NULL,
  function_name TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  data TEXT NOT NULL CHECK (json_valid(data)),
  created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holdfast_events_time ON holdfast_events (created_at, id);
CREATE INDEX IF NOT EXISTS holdfast_events_function ON holdfast_events (function_name, created_at);

CREATE TABLE IF NOT EXISTS holdfast_decisions (
  id TEXT PRIMARY KEY,
  node TEXT NOT NULL,
  kind TEXT NOT NULL,
  function_name TEXT NOT NULL,
  rule TEXT NOT NULL,
  inputs TEXT NOT NULL CHECK (json_valid(inputs)),
  result TEXT NOT NULL CHECK (json_valid(result)),
  created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS holdfast_decisions_time ON holdfast_decisions (created_at, id);
CREATE INDEX IF NOT EXISTS holdfast_decisions_function ON holdfast_decisions (function_name, created_at);

CREATE TABLE IF NOT EXISTS holdfast_tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  expires_at TEXT,
  last_used_at TEXT,
  revoked_at TEXT
);

CREATE TABLE IF NOT EXISTS holdfast_audit (
  id TEXT PRIMARY KEY,
  who TEXT NOT NULL,
  role TEXT NOT NULL,
  source TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  before TEXT CHECK (json_valid(before)),
  after TEXT CHECK (json_valid(after)),
  error_message TEXT,
  created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS holdfast_audit_time ON holdfast_audit (created_at, id);

CREATE TABLE IF NOT EXISTS holdfast_config_changes (
  id TEXT PRIMARY KEY,
  who TEXT NOT NULL,
  target TEXT NOT NULL,
  before TEXT CHECK (json_valid(before)),
  after TEXT CHECK (json_valid(after)),
  created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS holdfast_config_changes_target ON holdfast_config_changes (target, created_at);

CREATE TABLE IF NOT EXISTS holdfast_overrides (
  path TEXT PRIMARY KEY,
  value TEXT NOT NULL CHECK (json_valid(value)),
  updated_at TEXT NOT NULL,
  updated_by TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS holdfast_sessions (
  function_name TEXT PRIMARY KEY,
  generation INTEGER NOT NULL,
  updated_at TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS holdfast_node_states (
  node TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  data TEXT NOT NULL CHECK (json_valid(data)),
  updated_at TEXT NOT NULL,
  PRIMARY KEY (node, kind, name)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS holdfast_minutes (
  id TEXT PRIMARY KEY,
  node TEXT NOT NULL,
  minute INTEGER NOT NULL,
  part INTEGER NOT NULL,
  data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS holdfast_minutes_part ON holdfast_minutes (part, minute);
CREATE INDEX IF NOT EXISTS holdfast_minutes_minute ON holdfast_minutes (minute);

CREATE TABLE IF NOT EXISTS holdfast_history (
  node TEXT NOT NULL,
  function_name TEXT NOT NULL,
  day INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (node, function_name, day)
);
CREATE INDEX IF NOT EXISTS holdfast_history_function ON holdfast_history (function_name, day);
CREATE INDEX IF NOT EXISTS holdfast_history_day ON holdfast_history (day);
