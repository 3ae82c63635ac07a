-- The same of the OSD's stores.
SELECT store, boot, statements, position_of(rg, "offset") AS first
FROM kept.strangers WHERE osd = $osd ORDER BY store, boot, rg
