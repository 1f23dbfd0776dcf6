select order_date                                                     as date,
       count(*)                                                       as num_orders,
       cast(sum(revenue) as decimal(18, 2))                           as total_revenue,
       count(distinct customer_id)                                    as unique_customers,
       cast(sum(revenue) / count(*) as decimal(18, 2))                as avg_order_value
from silver.orders_enriched
group by order_date
order by order_date
