-- Operations under a standing claim whose version was not the next: a record is missing or repeated.
-- `first_said`: where the very same operation stands before. Then nothing is missing, and only an
-- append went twice into the log.
WITH found AS (
    SELECT o.* FROM kept.voids v
    JOIN kept.said_operations o ON o.rg = v.rg AND o."offset" = v."offset"
    WHERE v.void = 'OUT_OF_SEQUENCE'
),
before AS (
    SELECT f.rg, f."offset", max(p."offset") AS first_offset
    FROM found f
    JOIN kept.operations p ON p.rg = f.rg AND p.version = f.version AND p."offset" < f."offset"
    JOIN kept.said_operations s ON s.rg = p.rg AND s."offset" = p."offset"
    WHERE s.kind = f.kind AND s.object = f.object AND s.fence = f.fence
        AND s.serial IS NOT DISTINCT FROM f.serial AND s.sha256 IS NOT DISTINCT FROM f.sha256
    GROUP BY f.rg, f."offset"
)
SELECT
    position_of(o.rg, o."offset") AS position, o.object, o.version, b.due,
    CASE
        WHEN o.version > b.due THEN 'gap: an operation before it is missing'
        WHEN o.version = b.due - 1 THEN 'repeat of the version before it'
        ELSE 'regression: that version was made before'
    END AS what,
    position_of(o.rg, e.first_offset) AS first_said
FROM found o
JOIN LATERAL (
    SELECT coalesce(max(p.version), 0) + 1 AS due FROM kept.operations p
    WHERE p.rg = o.rg AND p."offset" < o."offset"
) b ON true
LEFT JOIN before e ON e.rg = o.rg AND e."offset" = o."offset"
ORDER BY o.rg, o."offset"
