

with orders as (select * from "dev"."public_stg"."stg_orders"),
order_payments as (
    select
        order_id,
        sum(case when payment_method = 'card' then amount else 0 end) as card_amount,
        sum(case when payment_method = 'coupon' then amount else 0 end) as coupon_amount,
        sum(case when payment_method = 'bank' then amount else 0 end) as bank_amount,
        
  
    sum(
      case
      when payment_method = 'card'
        then amount
      else 0
      end
    )
    
      
            as "n card"
      
    
    ,
  
    sum(
      case
      when payment_method = 'coupon'
        then amount
      else 0
      end
    )
    
      
            as "n coupon"
      
    
    ,
  
    sum(
      case
      when payment_method = 'bank'
        then amount
      else 0
      end
    )
    
      
            as "n bank"
      
    
    
  
,
        sum(amount) as total_amount
    from "dev"."public_stg"."stg_payments"
    group by 1
)
select
    orders.order_id, orders.customer_id, orders.status,
    order_payments.card_amount,
    order_payments.coupon_amount,
    order_payments.bank_amount,
    ( order_payments.total_amount ) / nullif( ( orders.amount ), 0) as share,
    order_payments.total_amount as amount,
    'of the shop shop_on_utils' as made, '_9_a_b_c' as slug
from orders
left join order_payments using (order_id)