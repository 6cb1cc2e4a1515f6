CREATE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog
AS $$ SELECT current_setting('cluster_name') $$;

CREATE FUNCTION pg_catalog.aurora_version() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog
AS $$
  SELECT format('%s.%s.0', current_setting('server_version_num')::int / 10000,
                current_setting('server_version_num')::int % 10000)
$$;

CREATE FUNCTION pg_catalog.aurora_replica_status() RETURNS TABLE (
  server_id text, session_id text, durable_lsn bigint, highest_lsn_rcvd bigint,
  current_read_lsn bigint, cur_replay_latency_in_usec bigint, active_txns bigint,
  is_current boolean, last_transport_error integer, last_error_timestamp timestamptz,
  last_update_timestamp timestamptz, feedback_xmin bigint, feedback_epoch bigint,
  replica_lag_in_msec double precision, log_stream_speed_in_kib_per_second double precision,
  log_buffer_sequence_number bigint, oldest_read_view_trx_id bigint,
  oldest_read_view_lsn bigint, pending_read_ios bigint, read_ios bigint, iops integer,
  cpu double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_column
DECLARE
  -- One file for all instances plays the part of the shared storage volume.
  volume jsonb := pg_read_file('../volume.json')::jsonb;
  lie text := volume ->> 'lie';
  me text := aurora_db_instance_identifier();
  reader boolean := pg_is_in_recovery();
  received bigint;
  applied bigint;
  lag double precision := 0;
BEGIN
  IF lie = 'permission_denied' THEN
    RAISE EXCEPTION 'permission denied for function aurora_replica_status'
      USING ERRCODE = 'insufficient_privilege';
  ELSIF lie = 'empty' THEN
    RETURN;
  END IF;
  IF reader THEN
    received := pg_last_wal_receive_lsn() - '0/0'::pg_lsn;
    applied := pg_last_wal_replay_lsn() - '0/0'::pg_lsn;
    IF received > applied THEN
      lag := extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000;
    END IF;
  ELSE
    applied := pg_current_wal_flush_lsn() - '0/0'::pg_lsn;
  END IF;
  RETURN QUERY
  SELECT
    CASE WHEN lie = 'garbage' THEN nullif(m.server_id, me) || E'\t?' ELSE m.server_id END,
    CASE WHEN w.writer OR lie = 'several_writers' THEN 'MASTER_SESSION_ID'
         WHEN lie = 'garbage' THEN ''
         ELSE m.session END,
    CASE WHEN lie = 'garbage' THEN -1::numeric
         WHEN m.server_id = me THEN applied
         WHEN w.writer THEN received
         ELSE r.replay_lsn - '0/0'::pg_lsn END::bigint,
    CASE WHEN w.writer THEN NULL
         WHEN m.server_id = me THEN received
         ELSE r.flush_lsn - '0/0'::pg_lsn END::bigint,
    CASE WHEN w.writer THEN NULL
         WHEN m.server_id = me THEN applied
         ELSE r.replay_lsn - '0/0'::pg_lsn END::bigint,
    CASE WHEN w.writer THEN NULL
         WHEN m.server_id = me THEN lag * 1000
         ELSE extract(epoch FROM r.replay_lag) * 1000000 END::bigint,
    (SELECT count(*) FROM pg_stat_activity a WHERE m.server_id = me AND a.state = 'active'),
    m.alive,
    0,
    NULL::timestamptz,
    CASE WHEN lie = 'garbage' THEN 'infinity'::timestamptz
         WHEN m.server_id = me THEN NULL
         WHEN m.alive THEN clock_timestamp()
         ELSE to_timestamp(m.seen) END,
    NULL::bigint, NULL::bigint,
    CASE WHEN lie = 'garbage' THEN 'NaN'::double precision
         WHEN w.writer THEN NULL
         WHEN m.server_id = me THEN lag
         WHEN r.pid IS NOT NULL THEN coalesce(extract(epoch FROM r.replay_lag) * 1000, 0)
         END::double precision,
    NULL::double precision, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
    0,
    CASE WHEN lie = 'garbage' THEN '-Infinity'::double precision ELSE 5 END
  FROM jsonb_to_recordset(volume -> 'instances') AS m(
    server_id text, address text, session text, writer boolean, alive boolean,
    seen double precision)
  -- About itself an instance knows better than the volume; there is never a second writer.
  CROSS JOIN LATERAL (SELECT CASE WHEN m.server_id = me THEN NOT reader
                                  ELSE reader AND m.writer END) AS w(writer)
  LEFT JOIN pg_stat_replication r ON r.application_name = m.address;
END $$;

GRANT EXECUTE ON FUNCTION pg_catalog.aurora_db_instance_identifier(), pg_catalog.aurora_version(), pg_catalog.aurora_replica_status() TO PUBLIC;

CREATE OR REPLACE VIEW pg_catalog.pg_settings AS
  SELECT * FROM pg_show_all_settings()
  UNION ALL
  SELECT 'rds.extensions', 'aurora_stat_utils, pg_stat_statements, plpgsql', NULL,
    'Customized Options', 'Extensions that RDS provides.', NULL, 'internal', 'string', 'default',
    NULL, NULL, NULL, 'aurora_stat_utils, pg_stat_statements, plpgsql',
    'aurora_stat_utils, pg_stat_statements, plpgsql', NULL, NULL, false;

