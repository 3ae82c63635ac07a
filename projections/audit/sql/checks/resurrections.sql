-- Copies of a version that came to a store after its object was deleted, with no put since.
WITH late AS MATERIALIZED (
    SELECT i.rg, i."offset", i.version, i.store, o.id, min(d."offset") AS deleted
    FROM kept.items i
    JOIN kept.operations o ON o.rg = i.rg AND o.version = i.version
    JOIN kept.operations d ON d.rg = o.rg AND d.id = o.id AND d.version > o.version
    WHERE i.kind = 'import' AND i.void IS NULL AND d.kind <> 'put' AND d."offset" < i."offset"
    GROUP BY ALL
)
SELECT n.object, f.version, s.name AS store, position_of(f.rg, f.from_offset) AS since,
    position_of(l.rg, l.deleted) AS deleted
FROM late l
JOIN kept.facts f
    ON f.rg = l.rg AND f.id = l.id AND f.version = l.version AND f.store = l.store
    AND f.from_offset = l."offset"
JOIN kept.objects n ON n.rg = l.rg AND n.id = l.id
JOIN kept.stores s ON s.store = l.store
ORDER BY n.object, f.from_offset
