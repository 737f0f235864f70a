-- What a database administrator can call without Holdfast. They run with the rights of their caller.
-- +goose Up

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION holdfast_cleanup(older_than interval)
RETURNS TABLE (table_name text, removed bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  -- The audit log and the history of the configuration stay for a year at least.
  long_ago timestamptz := now() - greatest(older_than, interval '365 days');
  ago timestamptz := now() - older_than;
BEGIN
  IF older_than IS NULL OR older_than < interval '1 minute' THEN
    RAISE EXCEPTION 'older_than must be at least a minute' USING HINT = 'SELECT * FROM holdfast_cleanup(interval ''30 days'')';
  END IF;
  DELETE FROM scaling_actions t WHERE t.created_at < ago;
  GET DIAGNOSTICS removed = ROW_COUNT; table_name := 'scaling_actions'; RETURN NEXT;
  DELETE FROM holdfast_events t WHERE t.created_at < ago;
  GET DIAGNOSTICS removed = ROW_COUNT; table_name := 'holdfast_events'; RETURN NEXT;
  DELETE FROM holdfast_decisions t WHERE t.created_at < ago;
  GET DIAGNOSTICS removed = ROW_COUNT; table_name := 'holdfast_decisions'; RETURN NEXT;
  DELETE FROM function_instances t WHERE t.status IN ('inactive', 'failed') AND t.updated_at < ago;
  GET DIAGNOSTICS removed = ROW_COUNT; table_name := 'function_instances'; RETURN NEXT;
  DELETE FROM holdfast_node_states t WHERE t.updated_at < ago;
  GET DIAGNOSTICS removed = ROW_COUNT; table_name := 'holdfast_node_states'; RETURN NEXT;
  DELETE FROM holdfast_tokens t WHERE t.revoked_at < ago OR t.expires_at < ago;
  GET DIAGNOSTICS removed = ROW_COUNT; table_name := 'holdfast_tokens'; RETURN NEXT;
  DELETE FROM holdfast_audit t WHERE t.created_at < long_ago;
  GET DIAGNOSTICS removed = ROW_COUNT; table_name := 'holdfast_audit'; RETURN NEXT;
  DELETE FROM holdfast_config_changes t WHERE t.created_at < long_ago;
  GET DIAGNOSTICS removed = ROW_COUNT; table_name := 'holdfast_config_changes'; RETURN NEXT;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION holdfast_status()
RETURNS TABLE (function_name text, enabled boolean, breaker text, failure_count integer, next_attempt timestamptz,
  instances bigint, active bigint, failed bigint, connections bigint, last_action text, last_action_at timestamptz)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT f.name, coalesce(c.enabled, true), coalesce(b.state, 'closed'), coalesce(b.failure_count, 0), b.next_attempt,
    (SELECT count(*) FROM function_instances i WHERE i.function_name = f.name),
    (SELECT count(*) FROM function_instances i WHERE i.function_name = f.name AND i.status = 'active'),
    (SELECT count(*) FROM function_instances i WHERE i.function_name = f.name AND i.status = 'failed'),
    (SELECT coalesce(sum(i.connections), 0) FROM function_instances i WHERE i.function_name = f.name),
    a.action, a.created_at
  FROM (SELECT x.function_name AS name FROM auto_recovery_configs x
        UNION SELECT x.function_name FROM circuit_breaker_states x
        UNION SELECT x.function_name FROM function_instances x) f
  LEFT JOIN auto_recovery_configs c ON c.function_name = f.name
  LEFT JOIN circuit_breaker_states b ON b.function_name = f.name
  LEFT JOIN LATERAL (SELECT s.action, s.created_at FROM scaling_actions s WHERE s.function_name = f.name
                     ORDER BY s.created_at DESC, s.id DESC LIMIT 1) a ON true
  ORDER BY f.name
$$;
-- +goose StatementEnd

-- Closes the breaker in the table and tells every running Holdfast to close its own. False: there is no such breaker.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION holdfast_reset_breaker(name text)
RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE circuit_breaker_states b SET state = 'closed', failure_count = 0, next_attempt = NULL, half_open_calls = 0,
    updated_at = greatest(clock_timestamp(), b.updated_at + interval '1 microsecond')
  WHERE b.function_name = name;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM pg_notify('holdfast_reset_breaker', name);
  RETURN true;
END $$;
-- +goose StatementEnd

-- The newest actions of a function, or of all for NULL.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION holdfast_recent_actions(name text, n int)
RETURNS SETOF scaling_actions
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT * FROM scaling_actions s WHERE name IS NULL OR s.function_name = name
  ORDER BY s.created_at DESC, s.id DESC LIMIT greatest(n, 0)
$$;
-- +goose StatementEnd

-- Supabase grants its web roles everything in schema public, and serves it over HTTP. They get nothing of Holdfast's.
-- +goose StatementBegin
DO $$
DECLARE
  web text;
  tbl text;
BEGIN
  FOR web IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
    FOREACH tbl IN ARRAY ARRAY['function_instances', 'circuit_breaker_states', 'auto_recovery_configs', 'scaling_actions',
      'holdfast_events', 'holdfast_decisions', 'holdfast_tokens', 'holdfast_audit', 'holdfast_config_changes', 'holdfast_overrides',
      'holdfast_sessions', 'holdfast_node_states', 'holdfast_minutes', 'holdfast_history', 'holdfast_schema_version'] LOOP
      EXECUTE format('REVOKE ALL ON %I FROM %I', tbl, web);
    END LOOP;
  END LOOP;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION holdfast_cleanup(interval), holdfast_reset_breaker(text), holdfast_status(),
  holdfast_recent_actions(text, int) FROM PUBLIC;
