-- Writes that a claim had shut out, or that were out of sequence.
SELECT position, "timestamp", type, object, version, store, void AS rule
FROM void_events
WHERE item IS NULL AND type LIKE 'Object%' AND type <> 'ObjectsImported'
ORDER BY "timestamp", position LIMIT 1000
