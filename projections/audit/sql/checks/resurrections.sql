-- Copies of a version that came to a store after its object was deleted, and after the store had
-- confirmed that it has none. An import that was under way when the object was deleted is no fault.
WITH late AS MATERIALIZED (
    SELECT i.rg, i."offset", i.version, i.store, o.id, min(d."offset") AS deleted,
        min(d.version) AS deletion
    FROM kept.items i
    JOIN kept.operations o ON o.rg = i.rg AND o.version = i.version
    JOIN kept.operations d ON d.rg = o.rg AND d.id = o.id AND d.version > o.version
    WHERE i.kind = 'import' AND i.void IS NULL AND d.kind <> 'put' AND d."offset" < i."offset"
    GROUP BY ALL
),
-- Of all else only what has to do with these: mostly nothing.
near AS MATERIALIZED (FROM kept.facts SEMI JOIN late USING (rg, id)),
erased AS (
    SELECT i.rg, i.store, i."offset", o.id, i.version
    FROM (
        SELECT rg, store, "offset", unnest(versions) AS version
        FROM kept.listings SEMI JOIN late USING (rg, store) WHERE kind = 'erase'
    ) i
    JOIN (FROM kept.operations SEMI JOIN late USING (rg, id)) o
        ON o.rg = i.rg AND o.version = i.version
),
-- Where it said so: of these bytes, of the whole RG, or by holdings that lack them and agree, with
-- nothing staged: else there were bytes that are no copy yet, and an import owns up to them.
denied AS (
    SELECT l.rg, l."offset", l.version, e."offset" AS denied_at
    FROM late l
    JOIN erased e ON e.rg = l.rg AND e.store = l.store AND e.id = l.id AND e.version >= l.version
    UNION ALL
    SELECT l.rg, l."offset", l.version, s."offset"
    FROM late l
    JOIN kept.statements s ON s.rg = l.rg AND s.store = l.store
    WHERE s.void IS NULL AND (
        s.kind = 'ExportClosed'
        OR s.kind = 'HoldingsStated' AND s.attests AND s.agrees AND s.staged_from IS NULL
            AND s.version >= l.deletion
    ) AND NOT EXISTS (
        FROM near f
        WHERE f.rg = l.rg AND f.id = l.id AND f.store = l.store AND f.version = l.version
            AND f.from_offset < s."offset"
            AND (f.until_offset IS NULL OR f.until_offset >= s."offset")
    )
),
back AS MATERIALIZED (
    SELECT l.*, max(d.denied_at) AS denied_at
    FROM late l
    JOIN denied d ON d.rg = l.rg AND d."offset" = l."offset" AND d.version = l.version
    WHERE d.denied_at > l.deleted AND d.denied_at < l."offset"
    GROUP BY ALL
)
SELECT n.object, f.version, s.name AS store, position_of(f.rg, f.from_offset) AS since,
    position_of(b.rg, b.deleted) AS deleted, position_of(b.rg, b.denied_at) AS denied
FROM back b
JOIN near f
    ON f.rg = b.rg AND f.id = b.id AND f.version = b.version AND f.store = b.store
    AND f.from_offset = b."offset"
JOIN (FROM kept.objects SEMI JOIN late USING (rg, id)) n ON n.rg = b.rg AND n.id = b.id
JOIN kept.stores s ON s.store = b.store
ORDER BY n.object, f.from_offset
