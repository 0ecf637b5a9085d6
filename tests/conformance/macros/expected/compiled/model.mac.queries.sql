select

  sum(case when country = 'NO' then 1 end) as no,

  sum(case when country = 'DE' then 1 end) as de,

  sum(case when country = 'FR' then 1 end) as fr

-- ('NO', 'DE', 'FR')

-- <agate.Row: ('NO', 3, Decimal('0.5'), True)> NO 3 NO ('country', 'n', 'share', 'big') 4

-- <agate.Row: ('DE', 12, Decimal('1.0'), False)> DE 12 DE ('country', 'n', 'share', 'big') 4

-- <agate.Row: ('FR', None, None, None)> FR None FR ('country', 'n', 'share', 'big') 4

-- 0.5 True
-- 1.0 False
-- None None

-- ('country', 'n', 'share', 'big') 4 3 (3, 12, None) n
-- country=['NO', 'DE', 'FR'];n=[3, 12, None];big=[True, False, None];
-- <agate.Row: ('NO', 3, Decimal('0.5'), True)> FR 3 3
-- ('country', 'n', 'share', 'big') ['NO', 'DE', 'FR'] 4

-- [(42,)] 42 42 SELECT 1
-- None