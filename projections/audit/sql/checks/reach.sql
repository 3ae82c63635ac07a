-- What the report rests on: how far the log was read.
SELECT count(*) AS partitions, sum(next_offset) AS records,
    (SELECT max("timestamp") FROM events) AS last_record
FROM kept.positions
