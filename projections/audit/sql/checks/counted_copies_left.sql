-- Copies that counted when they left their store, though the log had not doomed them: they were
-- held up to where the store said that they are erased.
WITH ended AS MATERIALIZED (
    SELECT f.rg, f.id, f.version, l.store, f.from_offset, f.until_offset, l.versions
    FROM kept.fates f
    JOIN kept.listings l ON l.rg = f.rg AND l."offset" = f.until_offset
    JOIN kept.listed m ON m.list = f.list AND m.store = l.store
    WHERE f.status = 'held' AND l.kind = 'erase'
),
items AS (
    SELECT * EXCLUDE (versions), unnest(versions) AS said,
        generate_subscripts(versions, 1)::INTEGER AS item
    FROM ended
)
SELECT n.object, i.version, s.name AS store, position_of(i.rg, i.from_offset) AS since,
    position_of(i.rg, i.until_offset) AS until
FROM items i
ANTI JOIN kept.item_voids v ON v.rg = i.rg AND v."offset" = i.until_offset AND v.item = i.item
JOIN (FROM kept.objects SEMI JOIN ended USING (rg, id)) n ON n.rg = i.rg AND n.id = i.id
JOIN kept.stores s ON s.store = i.store
WHERE i.said = i.version
ORDER BY n.object, i.until_offset
