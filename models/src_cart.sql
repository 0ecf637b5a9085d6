{# Items put into a cart. #}
{{ config(materialized='source') }}

create source {{ this }} (
    user_id int,
    item_id varchar,
    event_time timestamp
) with (
    {{ kafka_options('cart_events') }}
) format plain encode json
