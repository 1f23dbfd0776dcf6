select product_id,
       any_value(product_name)                                        as product_name,
       any_value(category)                                            as category,
       count(*)                                                       as num_orders,
       cast(sum(quantity) as bigint)                                  as units_sold,
       cast(sum(revenue) as decimal(18, 2))                           as total_revenue
from silver.orders_enriched
group by product_id
order by product_id
