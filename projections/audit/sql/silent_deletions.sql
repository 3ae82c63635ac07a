-- Which stores the proofs of these deletions wait for, and of which RGs.
SELECT DISTINCT unnest(silent) AS store, rg
FROM deletions
WHERE ($object IS NULL OR object = $object)
    AND ($prefix IS NULL OR starts_with(object, $prefix))
    AND ($since IS NULL OR "time" >= $since::TIMESTAMP)
    AND ($until IS NULL OR "time" < $until::TIMESTAMP)
ORDER BY ALL
