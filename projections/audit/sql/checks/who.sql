SELECT coalesce(actor, '(nobody said)') AS actor, type, count(*) AS events,
    count(*) FILTER (void IS NOT NULL) AS void, min("time") AS first, max("time") AS last
FROM events
WHERE type IN ('MapChanged', 'ObjectPut', 'ObjectDeleted', 'ObjectDeclaredLost')
    AND ($actor IS NULL OR actor = $actor)
GROUP BY ALL ORDER BY actor, type
