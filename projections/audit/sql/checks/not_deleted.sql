-- The object that is asked about, if it is there, or never was.
WITH known AS (
    SELECT max(version) AS version, bool_or(state = 'live') AS is_live,
        arg_max(position, version) AS position
    FROM object_versions WHERE object = $object
)
SELECT $object AS object, version, position,
    if(version IS NULL, 'it was never stored', 'it is live') AS what
FROM known WHERE $object IS NOT NULL AND (version IS NULL OR is_live)
