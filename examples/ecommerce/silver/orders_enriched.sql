-- Sound, live orders with what is known of their customer and product. Cancelled orders are no revenue and stay out.
select o.order_id,
       o.order_date,
       o.customer_id,
       c.customer_segment,
       c.city,
       c.state,
       o.product_id,
       p.product_name,
       p.category,
       o.quantity,
       p.price                                                   as list_price,
       o.total_amount                                            as revenue,
       cast(o.total_amount / o.quantity as decimal(12, 2))       as unit_revenue,
       o.status,
       o.payment_method,
       cast(year(o.order_date) as integer)                       as order_year,
       cast(month(o.order_date) as integer)                      as order_month,
       cast(day(o.order_date) as integer)                        as order_day,
       dayname(o.order_date)                                     as order_weekday
from bronze.orders o
join bronze.customers c using (customer_id)
join bronze.products p using (product_id)
where o.data_quality_flag = 'ok'
  and o.status <> 'cancelled'
