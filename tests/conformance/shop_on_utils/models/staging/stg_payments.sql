with source as (
    {#-
    Normally we would select from the table here.
    #}
    select * from {{ source('raw', 'payments') }}
),
renamed as (
    select
        {{ helpers.generate_surrogate_key(['id', 'order_id']) }} as payment_key,
        id as payment_id, order_id, payment_method,
        {{ cents_to_dollars('amount') }} as amount
    from source
)
select * from renamed
