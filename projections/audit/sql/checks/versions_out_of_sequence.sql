-- Operations under a standing claim whose version was not the next: a record is missing or repeated.
SELECT
    position_of(o.rg, o."offset") AS position, o.object, o.version, b.due,
    CASE
        WHEN o.version > b.due THEN 'gap: an operation before it is missing'
        WHEN o.version = b.due - 1 THEN 'repeat of the version before it'
        ELSE 'regression: that version was made before'
    END AS what
FROM kept.voids v
JOIN kept.said_operations o ON o.rg = v.rg AND o."offset" = v."offset"
JOIN LATERAL (
    SELECT coalesce(max(p.version), 0) + 1 AS due FROM kept.operations p
    WHERE p.rg = v.rg AND p."offset" < v."offset"
) b ON true
WHERE v.void = 'OUT_OF_SEQUENCE'
ORDER BY o.rg, o."offset"
