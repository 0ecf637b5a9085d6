{% set payment_methods = var('payment_methods') %}
{{ config(indexes=[{'columns': ['order_id']}, {'columns': ['customer_id', 'status'], 'include': ['amount']}]) }}
with orders as (select * from {{ ref('stg_orders') }}),
order_payments as (
    select
        order_id,
        {% for payment_method in payment_methods -%}
        sum(case when payment_method = '{{ payment_method }}' then amount else 0 end) as {{ payment_method }}_amount,
        {% endfor -%}
        {{ helpers.pivot('payment_method', payment_methods, prefix='n ', then_value='amount') }},
        sum(amount) as total_amount
    from {{ ref('stg_payments') }}
    {{ helpers.group_by(1) }}
)
select
    orders.order_id, orders.customer_id, orders.status,
    {%- for m in payment_methods %}
    order_payments.{{ m }}_amount,
    {%- endfor %}
    {{ helpers.safe_divide('order_payments.total_amount', 'orders.amount') }} as share,
    order_payments.total_amount as amount,
    '{{ helpers.marker() }}' as made, '{{ helpers.slugify("9 A-b C!") }}' as slug
from orders
left join order_payments using (order_id)
