-- Where the log cannot be read further. Nothing after it is in this database, or proven by it.
SELECT topic || '/' || partition || '@' || stopped_at AS position, why
FROM kept.positions WHERE why IS NOT NULL ORDER BY topic, partition
