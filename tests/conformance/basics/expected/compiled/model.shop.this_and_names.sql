select '"dev"."public_marts"."this_and_names"' as a, 'public_marts' as b, 'this_and_names' as c, 'this_and_names' as d,
  'dev' as e, '"public_marts"."this_and_names"' as f, '"this_and_names"' as g,
  '"dev"."public_marts".this_and_names' as h, '"dev"."public_marts"."x"' as i, 'None' as j,
  'this_and_names' as k, 'this_and_names' as l, 'model.shop.this_and_names' as m, 'public_marts.dev' as n,
  'order_totals' as o, '"elsewhere"."other"."t"' as p, 'this_and_names' as q,
  'False' as r, 'False' as s, '"dev"."public_marts"."this_and_names"' as t, '"dev"."public_marts"' as u,
  '"dev"."public_marts"."y"' as v, '"a"."b"."c"' as w,
  '"dev".INFORMATION_SCHEMA.columns' as x, 'None' as y, 'orders_v2' as z