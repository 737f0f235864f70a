-- What is changed here without the API reaches every running Holdfast, and the audit log.
-- +goose Up

-- Closes the breaker in the table, takes back an order that keeps it open, and tells every running Holdfast to close its
-- own. False: there is no such breaker.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION holdfast_reset_breaker(name text)
RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  was circuit_breaker_states%ROWTYPE;
  ordered jsonb;
  since timestamptz := clock_timestamp();
BEGIN
  SELECT * INTO was FROM circuit_breaker_states b WHERE b.function_name = name FOR UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE circuit_breaker_states b SET state = 'closed', failure_count = 0, next_attempt = NULL, half_open_calls = 0,
    updated_at = greatest(since, b.updated_at + interval '1 microsecond')
  WHERE b.function_name = name;
  SELECT c.recovery_config #> '{operator,forced_open}' INTO ordered
  FROM auto_recovery_configs c WHERE c.function_name = name FOR UPDATE;
  IF ordered IS NOT NULL THEN
    UPDATE auto_recovery_configs c SET recovery_config = c.recovery_config #- '{operator,forced_open}', updated_at = since
    WHERE c.function_name = name;
    INSERT INTO holdfast_config_changes (id, who, target, before, after, created_at)
    VALUES (gen_random_uuid(), session_user, name,
      jsonb_build_object('recovery_config', jsonb_build_object('operator', jsonb_build_object('forced_open', ordered))), '{}', since);
  END IF;
  INSERT INTO holdfast_audit (id, who, role, source, action, target, before, after, created_at)
  VALUES (gen_random_uuid(), session_user, '', concat_ws(' ', 'database', host(inet_client_addr())), 'breaker.reset', name,
    jsonb_build_object('state', was.state, 'failure_count', was.failure_count, 'next_attempt', was.next_attempt, 'forced_open', ordered),
    jsonb_build_object('state', 'closed'), since);
  PERFORM pg_notify('holdfast_reset_breaker', name);
  RETURN true;
END $$;
-- +goose StatementEnd

-- Tokens that were made or revoked, by the API of any node or by hand, are read again by all nodes. The column that says
-- when a token was last used is not among those that count.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION holdfast_tell_tokens()
RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('holdfast_tokens', '');
  RETURN NULL;
END $$;
-- +goose StatementEnd
DROP TRIGGER IF EXISTS holdfast_tokens_changed ON holdfast_tokens;
CREATE TRIGGER holdfast_tokens_changed AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF role, hash, expires_at, revoked_at
  ON holdfast_tokens FOR EACH STATEMENT EXECUTE FUNCTION holdfast_tell_tokens();
REVOKE EXECUTE ON FUNCTION holdfast_tell_tokens() FROM PUBLIC;
