-- Stores that an RG waits for no more, though the map has not retired them, or not then.
SELECT position_of(rg, "offset") AS position, store, epoch, by_map, said_by
FROM kept.unfounded ORDER BY rg, "offset"
