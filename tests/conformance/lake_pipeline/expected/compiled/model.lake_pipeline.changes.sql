
"dev"."public"."by_minute"