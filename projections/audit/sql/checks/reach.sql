-- What the report rests on: how far the log was read.
SELECT count(*) AS partitions, sum(next_offset) AS records,
    (
        SELECT moment(max(last)) FROM (
            SELECT max("timestamp") AS last FROM kept.said_operations
            UNION ALL SELECT max("timestamp") FROM kept.statements
            UNION ALL SELECT max("timestamp") FROM kept.claims
            UNION ALL SELECT max("timestamp") FROM kept.doomings
            UNION ALL SELECT max("timestamp") FROM kept.retirements
            UNION ALL SELECT max("timestamp") FROM kept.map_events
        )
    ) AS last_record
FROM kept.positions
