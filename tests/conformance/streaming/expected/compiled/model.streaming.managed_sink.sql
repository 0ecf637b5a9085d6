
"dev"."public"."totals"