-- The migrator: settings of its session. Locks: none.
-- Who waits for a lock makes everyone wait who comes after: after 3 s a step gives up, and is tried again.
-- A migrator that is gone, killed or cut off, must not keep its locks: the server looks whether it is still there.
set lock_timeout = '3s';
set client_connection_check_interval = '2s';
set idle_in_transaction_session_timeout = '60s';
set tcp_keepalives_idle = 10;
set tcp_keepalives_interval = 5;
set tcp_keepalives_count = 3;
set application_name = 'walletsync migrator';
