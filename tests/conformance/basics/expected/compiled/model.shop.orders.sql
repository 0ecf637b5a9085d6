select id, amount, 'NO' as country
from "dev"."landing"."orders_v2"