select state,
       count(*)                                                       as num_orders,
       cast(sum(revenue) as decimal(18, 2))                           as total_revenue,
       count(distinct customer_id)                                    as unique_customers,
       cast(sum(revenue) / count(*) as decimal(18, 2))                as avg_order_value
from silver.orders_enriched
group by state
order by state
