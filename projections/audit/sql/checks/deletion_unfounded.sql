-- The same in the RGs that have to do with these deletions: no proof can rest on them.
SELECT position_of(rg, "offset") AS position, store, epoch, by_map, said_by
FROM kept.unfounded
WHERE rg IN (
    SELECT rg FROM kept.objects
    WHERE ($object IS NULL OR object = $object)
        AND ($prefix IS NULL OR starts_with(object, $prefix))
)
ORDER BY rg, "offset"
