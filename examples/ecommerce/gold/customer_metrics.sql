select customer_id,
       any_value(customer_segment)                                    as customer_segment,
       any_value(state)                                               as state,
       count(*)                                                       as total_orders,
       cast(sum(revenue) as decimal(18, 2))                           as lifetime_value,
       cast(sum(revenue) / count(*) as decimal(18, 2))                as avg_order_value,
       min(order_date)                                                as first_order_date,
       max(order_date)                                                as last_order_date,
       cast(date_diff('day', min(order_date), max(order_date)) as integer) as days_active
from silver.orders_enriched
group by customer_id
order by customer_id
