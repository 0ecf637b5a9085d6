{# Page views, as the shop's web servers send them. #}
{{ config(materialized='source') }}

create source {{ this }} (
    user_id int,
    page_id varchar,
    event_time timestamp
) with (
    {{ kafka_options('page_views') }}
) format plain encode json
