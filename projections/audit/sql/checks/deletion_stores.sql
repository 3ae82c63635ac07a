-- Each part of the proofs of these deletions: what a store confirmed, where and when.
SELECT object, version, store,
    coalesce('its copy of version ' || "copy", 'bytes that no event tells of') AS what,
    how, confirmed, "time"
FROM confirmations
WHERE ($object IS NULL OR object = $object)
    AND ($prefix IS NULL OR starts_with(object, $prefix))
    AND ($since IS NULL OR deleted >= $since::TIMESTAMP)
    AND ($until IS NULL OR deleted < $until::TIMESTAMP)
    AND coalesce($object, $prefix, $since::VARCHAR, $until::VARCHAR) IS NOT NULL
ORDER BY rg, version, store, "copy"
