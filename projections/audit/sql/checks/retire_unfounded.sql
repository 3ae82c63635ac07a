-- The same of the OSD's stores.
SELECT position_of(rg, "offset") AS position, store, epoch, by_map, said_by
FROM kept.unfounded WHERE osd = $osd ORDER BY rg, "offset"
