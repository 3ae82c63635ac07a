SELECT object, rg_name(rg) AS rg, version, operation, coalesce(actor, '(nobody said)') AS actor,
    "time", position, stores_then, outstanding, confirmed, silent, retired, state
FROM deletions
WHERE ($object IS NULL OR object = $object)
    AND ($prefix IS NULL OR starts_with(object, $prefix))
    AND ($since IS NULL OR "time" >= $since::TIMESTAMP)
    AND ($until IS NULL OR "time" < $until::TIMESTAMP)
ORDER BY position
