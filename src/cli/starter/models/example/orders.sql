{# A source that makes its own rows; in a project of yours it reads Kafka or a database. #}
{{ config(materialized='source') }}

create source {{ this }} (
    order_id bigint,
    customer_id int,
    amount double precision
) with (
    connector = 'datagen',
    fields.order_id.kind = 'sequence',
    fields.order_id.start = '1',
    fields.customer_id.kind = 'random',
    fields.customer_id.min = '1',
    fields.customer_id.max = '20',
    fields.amount.kind = 'random',
    fields.amount.min = '1',
    fields.amount.max = '200',
    datagen.rows.per.second = '10'
) format plain encode json
