-- Copies of a version that came to a store after its object was deleted, with no put since.
SELECT h.object, h.version, h.store, h.since, position_of(d.rg, d."offset") AS deleted
FROM copy_history h
JOIN kept.operations d
    ON d.rg = h.rg AND d.object = h.object AND d.void IS NULL AND d.kind <> 'put'
    AND d.version > h.version AND d."offset" < h.from_offset
JOIN kept.items i ON i.rg = h.rg AND i."offset" = h.from_offset AND i.version = h.version
    AND i.kind = 'import' AND i.void IS NULL
QUALIFY row_number() OVER (PARTITION BY h.rg, h.object, h.version, h.store, h.from_offset
    ORDER BY d."offset") = 1
ORDER BY h.object, h.from_offset
