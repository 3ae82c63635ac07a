SELECT type, void AS rule, meaning, count(*) AS events, min("timestamp") AS first,
    max("timestamp") AS last, arg_min(position, ("timestamp", "offset")) AS first_at
FROM void_events GROUP BY type, void, meaning ORDER BY type, void
