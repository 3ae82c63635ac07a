-- Objects that were deleted, or given up, though they were not there: nobody who asks first says so.
WITH gone AS (
    SELECT *, lag(version) OVER (PARTITION BY rg, id ORDER BY version) AS last
    FROM kept.operations WHERE kind <> 'put'
),
wrong AS (
    SELECT g.rg, g."offset", g.id, g.version, g.kind, 'it was not there' AS what
    FROM gone g
    WHERE g.version = g.id OR (g.last IS NOT NULL AND NOT EXISTS (
        FROM kept.operations p
        WHERE p.rg = g.rg AND p.id = g.id AND p.kind = 'put'
            AND p.version > g.last AND p.version < g.version
    ))
    UNION ALL
    SELECT g.rg, g."offset", g.id, g.version, g.kind, 'another version was there'
    FROM gone g
    JOIN said.ObjectDeclaredLost d ON d.rg = g.rg AND d."offset" = g."offset"
    WHERE d.lost_version IS DISTINCT FROM (
        SELECT max(p.version) FROM kept.operations p
        WHERE p.rg = g.rg AND p.id = g.id AND p.kind = 'put' AND p.version < g.version
    )
)
SELECT position_of(w.rg, w."offset") AS position, n.object, w.version, w.kind AS operation,
    string_agg(w.what, ', ' ORDER BY w.what) AS what
FROM wrong w JOIN kept.objects n ON n.rg = w.rg AND n.id = w.id
GROUP BY ALL
ORDER BY position
