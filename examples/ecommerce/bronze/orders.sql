-- Every order, dirt included: nothing is dropped here, it is flagged. Silver takes the rows flagged "ok".
with delivered as (
    select *
    from read_csv('${lake}/${raw}/orders.csv', header = true, nullstr = '',
                  columns = {order_id: 'BIGINT', customer_id: 'BIGINT', product_id: 'BIGINT', order_date: 'DATE',
                             quantity: 'INTEGER', total_amount: 'DECIMAL(12,2)', status: 'VARCHAR',
                             payment_method: 'VARCHAR'})
)
select order_id,
       customer_id,
       product_id,
       order_date,
       quantity,
       total_amount,
       status,
       payment_method,
       current_timestamp as ingested_at,
       case when customer_id is null then 'missing_customer'
            when customer_id not in (select customer_id from bronze.customers) then 'unknown_customer'
            when quantity is null or quantity not between 1 and 100 then 'bad_quantity'
            when total_amount is null or total_amount < 0 then 'bad_amount'
            when status is null or status not in ('completed', 'pending', 'cancelled') then 'bad_status'
            else 'ok' end as data_quality_flag
from delivered
order by order_date, order_id
