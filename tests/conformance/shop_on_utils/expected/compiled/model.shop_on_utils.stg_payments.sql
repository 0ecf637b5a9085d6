with source as (
    select * from "dev"."raw_dev"."app_payments"
),
renamed as (
    select
        md5(cast(coalesce(cast(id as TEXT), '') || '-' || coalesce(cast(order_id as TEXT), '') as TEXT)) as payment_key,
        id as payment_id, order_id, payment_method,
        (amount / 100)::numeric(16, 2) as amount
    from source
)
select * from renamed