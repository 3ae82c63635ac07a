-- Every copy that there ever was of the objects, and where each one ended.
SELECT h.object, h.version, h.store, h.status, h.since, coalesce(h.until, 'still there') AS until
FROM copy_history h
WHERE ($object IS NULL OR h.object = $object)
    AND ($prefix IS NULL OR starts_with(h.object, $prefix))
    AND ($object IS NOT NULL OR $prefix IS NOT NULL)
ORDER BY h.object, h.rg, h.from_offset, h.store
