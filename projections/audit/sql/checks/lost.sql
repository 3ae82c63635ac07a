-- Live objects of which no copy counts.
SELECT o.object, rg_name(o.rg) AS rg, o.version, o.size, o.position,
    (
        SELECT list(
            s.name || ' ' || if(f.store IN (FROM kept.gone), 'retired', f.status::VARCHAR)
            ORDER BY s.name
        )
        FROM kept.facts f JOIN kept.stores s USING (store)
        WHERE f.rg = o.rg AND f.until_offset IS NULL
            AND f.id IN (SELECT id FROM kept.objects n WHERE n.rg = o.rg AND n.object = o.object)
    ) AS copies
FROM objects o WHERE o.is_live AND o.counted = 0
ORDER BY o.object
