-- Live objects of which no copy counts. All objects are gone through in numbers, and only what is
-- found is put into words.
WITH counted AS (
    SELECT rg, id FROM kept.fates
    WHERE until_offset IS NULL AND status = 'held' AND NOT bare
        AND list IN (SELECT list FROM kept.listed WHERE store NOT IN (FROM kept.gone))
),
lost AS MATERIALIZED (
    SELECT p.rg, p.id, max(p.version) AS version, max(p."offset") AS "offset"
    FROM (FROM kept.operations WHERE kind = 'put') p
    ANTI JOIN (FROM kept.operations WHERE kind <> 'put') d
        ON d.rg = p.rg AND d.id = p.id AND d.version > p.version
    ANTI JOIN counted c ON c.rg = p.rg AND c.id = p.id
    GROUP BY p.rg, p.id
),
there AS (
    SELECT f.rg, f.id, list(
        s.name || ' ' || if(f.store IN (FROM kept.gone), 'retired', f.status::VARCHAR)
        ORDER BY s.name
    ) AS copies
    FROM kept.facts f SEMI JOIN lost l ON l.rg = f.rg AND l.id = f.id
    JOIN kept.stores s USING (store)
    WHERE f.until_offset IS NULL
    GROUP BY f.rg, f.id
)
SELECT n.object, rg_name(l.rg) AS rg, l.version, p.size, position_of(l.rg, l."offset") AS position,
    t.copies
FROM lost l
JOIN (FROM kept.objects SEMI JOIN lost USING (rg, id)) n ON n.rg = l.rg AND n.id = l.id
LEFT JOIN (FROM said.ObjectPut SEMI JOIN lost USING (rg, "offset")) p
    ON p.rg = l.rg AND p."offset" = l."offset"
LEFT JOIN there t ON t.rg = l.rg AND t.id = l.id
ORDER BY n.object
