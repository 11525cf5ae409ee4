-- walletsync push: the changes that have not been pushed, in their order.
-- $1 limit. Locks: none. Index: the primary key.
select h.account, h.charge_permission, h.facet, h.position
from walletsync.charge_permission_changes h
where h.position > (select c.position from walletsync.feed_cursors c where c.reader = 'push')
order by h.position limit $1::int
