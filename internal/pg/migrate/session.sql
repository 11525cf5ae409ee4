-- The migrator: settings of its session. Locks: none.
-- A session that waits for a lock blocks the sessions after it, so a step gives up after 3 s and is retried.
-- A migrator that was killed or cut off must not keep its locks, so the server checks the connection.
set lock_timeout = '3s';
set client_connection_check_interval = '2s';
set idle_in_transaction_session_timeout = '60s';
set tcp_keepalives_idle = 10;
set tcp_keepalives_interval = 5;
set tcp_keepalives_count = 3;
set application_name = 'walletsync migrator';
