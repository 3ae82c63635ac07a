SELECT type, void AS rule, meaning, count(*) AS events, min("timestamp") AS first, max("timestamp") AS last
FROM void_events GROUP BY type, void, meaning ORDER BY type, void
