-- The lists of stores that are new in `said_rows` get numbers; what is misplaced names nobody.
INSERT INTO kept.lists
SELECT (SELECT coalesce(max(list), -1) FROM kept.lists) + row_number() OVER (ORDER BY stores), stores
FROM (
    SELECT DISTINCT stores FROM said_rows
    WHERE rg % (SELECT partitions FROM kept.meta) = partition
) ANTI JOIN kept.lists USING (stores);
