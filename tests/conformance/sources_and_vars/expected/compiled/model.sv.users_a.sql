select 'from cli' as s, '{'first': True, 'second': False}' as f, '3.5' as l, 3 as c,
  'None' as n, '1' as x, 1 as h
from "dev"."landing_dev"."users"