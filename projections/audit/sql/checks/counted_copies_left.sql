-- Copies that counted when they left their store, though the log had not doomed them.
WITH gone AS MATERIALIZED (
    SELECT f.*
    FROM kept.facts f
    JOIN kept.items i
        ON i.rg = f.rg AND i."offset" = f.until_offset AND i.version = f.version
        AND i.store = f.store
    WHERE f.status = 'held' AND i.kind = 'erase' AND i.void IS NULL
)
SELECT n.object, f.version, s.name AS store, position_of(f.rg, f.from_offset) AS since,
    position_of(f.rg, f.until_offset) AS until
FROM gone f
JOIN kept.objects n ON n.rg = f.rg AND n.id = f.id
JOIN kept.stores s ON s.store = f.store
ORDER BY n.object, f.until_offset
