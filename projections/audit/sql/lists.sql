-- The lists of stores that are new in `said_rows` get numbers.
INSERT INTO kept.lists
SELECT (SELECT coalesce(max(list), -1) FROM kept.lists) + row_number() OVER (ORDER BY stores), stores
FROM (SELECT DISTINCT stores FROM said_rows) ANTI JOIN kept.lists USING (stores);
