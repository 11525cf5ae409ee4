-- walletsync cli: a page of a list of the back office, in the order of its key.
-- {list} is the view, {key} its key's columns, {where} the filters that were given and the key of the row before, {limit} how
-- many rows: package export knows them, and Go writes them in. The columns are the view's own, as its contract has them.
-- Locks: none. Index: the one in the order of the key, read on from the page before.
select v.* from {list} v
where {where}
order by {key}
limit {limit}
