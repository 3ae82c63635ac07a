-- The OSD that is asked about, if no map and no event ever named it.
SELECT printf('osd.%d', $osd) AS osd, 'no map ever had it' AS what
WHERE NOT EXISTS (SELECT 1 FROM kept.osds WHERE osd = $osd)
    AND NOT EXISTS (SELECT 1 FROM kept.stores WHERE osd = $osd)
