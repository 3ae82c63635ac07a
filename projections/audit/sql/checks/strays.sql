-- Copies outside placed, or not of their object's current version: they are there until their
-- store says that they are erased. A copy that is lost where it is placed is no stray.
SELECT c.store, rg_name(c.rg) AS rg, c.object, c.version, c.status, c.since,
    CASE
        WHEN c.status = 'doomed' THEN 'may go; its erasure is not confirmed'
        WHEN c.status = 'lost' THEN 'bad, or perhaps not there'
        ELSE 'waits until every placed store has its own'
    END AS why
FROM copies c
LEFT JOIN placement p USING (rg)
LEFT JOIN kept.stores s ON s.name = c.store
WHERE c.status = 'doomed' OR (p.rg IS NOT NULL AND NOT list_contains(p.stores, s.store))
ORDER BY c.store, c.rg, c.object
