-- Objects in another RG than their name belongs to.
SELECT o.object, rg_name(o.rg) AS rg, rg_name(md5_word(o.object) % m.rg_count) AS belongs
FROM kept.objects o CROSS JOIN (
    SELECT rg_count::UBIGINT AS rg_count FROM kept.maps ORDER BY from_epoch DESC LIMIT 1
) m
WHERE md5_word(o.object) % m.rg_count <> o.rg
ORDER BY o.object
