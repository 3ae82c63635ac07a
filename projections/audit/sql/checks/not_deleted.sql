-- What is asked about by name and was not deleted: it is there, or never was, or was deleted at
-- another time. What is there below a prefix is no answer where only a time is asked about.
WITH known AS MATERIALIZED (
    SELECT object, version, position, state, "time" FROM object_versions
    WHERE coalesce($object, $prefix) IS NOT NULL
        AND ($object IS NULL OR object = $object)
        AND ($prefix IS NULL OR starts_with(object, $prefix))
),
here AS (
    SELECT object, version, position FROM known
    WHERE state = 'live'
        AND ($object IS NOT NULL OR coalesce($since::VARCHAR, $until::VARCHAR) IS NULL)
)
FROM (
    SELECT object, version, position, 'it is live' AS what FROM here
    UNION ALL
    SELECT coalesce($object, $prefix), NULL, NULL,
        if($object IS NULL, 'no name begins so', 'it was never stored')
    WHERE coalesce($object, $prefix) IS NOT NULL AND NOT EXISTS (FROM known)
    UNION ALL
    SELECT $object, NULL, NULL, 'it was not deleted then'
    WHERE $object IS NOT NULL AND EXISTS (FROM known) AND NOT EXISTS (FROM here)
        AND NOT EXISTS (
            FROM known
            WHERE state = 'deletion' AND ($since IS NULL OR "time" >= $since::TIMESTAMP)
                AND ($until IS NULL OR "time" < $until::TIMESTAMP)
        )
)
ORDER BY object LIMIT 1000
