-- Records that the map lets everybody pass over.
SELECT topic || '/' || partition || '@' || "offset" AS position, lower(hex(sha256)) AS sha256
FROM kept.skips ORDER BY topic, partition, "offset"
