-- +goose Up
CREATE TABLE IF NOT EXISTS function_instances (
  id TEXT PRIMARY KEY,
  function_name TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'inactive', 'recovering', 'failed')),
  health JSONB NOT NULL DEFAULT '{}',
  connections INTEGER NOT NULL DEFAULT 0,
  last_request TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE TABLE IF NOT EXISTS circuit_breaker_states (
  function_name TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
  failure_count INTEGER NOT NULL DEFAULT 0,
  last_failure TIMESTAMPTZ,
  next_attempt TIMESTAMPTZ,
  half_open_calls INTEGER NOT NULL DEFAULT 0,
  config JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE TABLE IF NOT EXISTS auto_recovery_configs (
  function_name TEXT PRIMARY KEY,
  recovery_config JSONB NOT NULL DEFAULT '{}',
  load_balancing_config JSONB NOT NULL DEFAULT '{}',
  scaling_config JSONB NOT NULL DEFAULT '{}',
  enabled BOOLEAN NOT NULL DEFAULT true,
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE TABLE IF NOT EXISTS scaling_actions (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  function_name TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('scale_up', 'scale_down', 'failover', 'recovery')),
  instance_count_before INTEGER NOT NULL,
  instance_count_after INTEGER NOT NULL,
  trigger_reason TEXT,
  metrics JSONB DEFAULT '{}',
  success BOOLEAN NOT NULL DEFAULT true,
  error_message TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE INDEX IF NOT EXISTS holdfast_instances_function ON function_instances (function_name);
CREATE INDEX IF NOT EXISTS holdfast_actions_time ON scaling_actions (created_at, id);
CREATE INDEX IF NOT EXISTS holdfast_actions_function ON scaling_actions (function_name, created_at);

-- Tables of our own.
CREATE TABLE IF NOT EXISTS holdfast_events (
  id UUID PRIMARY KEY,
  node TEXT NOT NULL,
  kind TEXT NOT NULL,
  function_name TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  data JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS holdfast_events_time ON holdfast_events (created_at, id);
CREATE INDEX IF NOT EXISTS holdfast_events_function ON holdfast_events (function_name, created_at);

CREATE TABLE IF NOT EXISTS holdfast_decisions (
  id UUID PRIMARY KEY,
  node TEXT NOT NULL,
  kind TEXT NOT NULL,
  function_name TEXT NOT NULL,
  rule TEXT NOT NULL,
  inputs JSONB NOT NULL,
  result JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS holdfast_decisions_time ON holdfast_decisions (created_at, id);
CREATE INDEX IF NOT EXISTS holdfast_decisions_function ON holdfast_decisions (function_name, created_at);

CREATE TABLE IF NOT EXISTS holdfast_tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  hash BYTEA NOT NULL CHECK (length(hash) = 32),
  created_at TIMESTAMPTZ NOT NULL,
  created_by TEXT NOT NULL,
  expires_at TIMESTAMPTZ,
  last_used_at TIMESTAMPTZ,
  revoked_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS holdfast_audit (
  id UUID PRIMARY KEY,
  who TEXT NOT NULL,
  role TEXT NOT NULL,
  source TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  before JSONB,
  after JSONB,
  error_message TEXT,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS holdfast_audit_time ON holdfast_audit (created_at, id);

CREATE TABLE IF NOT EXISTS holdfast_config_changes (
  id UUID PRIMARY KEY,
  who TEXT NOT NULL,
  target TEXT NOT NULL,
  before JSONB,
  after JSONB,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS holdfast_config_changes_target ON holdfast_config_changes (target, created_at);

CREATE TABLE IF NOT EXISTS holdfast_overrides (
  path TEXT PRIMARY KEY,
  value JSONB NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  updated_by TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS holdfast_sessions (
  function_name TEXT PRIMARY KEY,
  generation BIGINT NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS holdfast_node_states (
  node TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  data JSONB NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (node, kind, name)
);

CREATE TABLE IF NOT EXISTS holdfast_minutes (
  id UUID PRIMARY KEY,
  node TEXT NOT NULL,
  minute BIGINT NOT NULL,
  part INTEGER NOT NULL,
  data BYTEA NOT NULL
);
CREATE INDEX IF NOT EXISTS holdfast_minutes_part ON holdfast_minutes (part, minute);
CREATE INDEX IF NOT EXISTS holdfast_minutes_minute ON holdfast_minutes (minute);

CREATE TABLE IF NOT EXISTS holdfast_history (
  node TEXT NOT NULL,
  function_name TEXT NOT NULL,
  day BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (node, function_name, day)
);
CREATE INDEX IF NOT EXISTS holdfast_history_function ON holdfast_history (function_name, day);
CREATE INDEX IF NOT EXISTS holdfast_history_day ON holdfast_history (day);
