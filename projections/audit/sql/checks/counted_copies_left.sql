-- Copies that counted when they left their store, though the log had not doomed them.
SELECT h.object, h.version, h.store, h.since, h.until
FROM copy_history h
JOIN kept.items i ON i.rg = h.rg AND i."offset" = h.until_offset AND i.void IS NULL
    AND i.kind = 'erase' AND i.version = h.version
JOIN kept.stores s ON s.store = i.store AND s.name = h.store
WHERE h.status = 'held'
ORDER BY h.object, h.until_offset
