{{ config(
    materialized='materialized_view',
    sql_header="comment on table public.events is 'doubled reads it';"
) }}
select user_id * 2 as n from {{ ref('events') }} where user_id > 2
