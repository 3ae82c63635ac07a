-- The same of the RGs that have to do with these deletions: no proof can rest on such words.
SELECT store, boot, statements, position_of(rg, "offset") AS first
FROM kept.strangers
WHERE rg IN (
    SELECT rg FROM kept.objects
    WHERE ($object IS NULL OR object = $object)
        AND ($prefix IS NULL OR starts_with(object, $prefix))
)
ORDER BY store, boot, rg
