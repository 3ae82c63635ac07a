-- RGs that the present map still places there.
SELECT rg_name(rg) AS rg, place FROM kept.placement WHERE osd = $osd ORDER BY rg
