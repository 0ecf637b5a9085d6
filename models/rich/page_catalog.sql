{# The shop's pages and the products on them. Empty until `rwt produce --direct` fills it. #}
{{ config(materialized='table') }}

select
    ''::varchar as page_url,
    ''::varchar as page_category,
    ''::varchar as product_id,
    ''::varchar as product_category,
    ''::varchar as ingested_at
where false
