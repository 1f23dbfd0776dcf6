-- The product catalogue, as delivered.
select product_id,
       product_name,
       category,
       price,
       stock_quantity,
       current_timestamp as ingested_at,
       case when stock_quantity is null or stock_quantity < 0 then 'bad_stock' else 'ok' end as data_quality_flag
from read_csv('${lake}/${raw}/products.csv', header = true, nullstr = '',
              columns = {product_id: 'BIGINT', product_name: 'VARCHAR', category: 'VARCHAR',
                         price: 'DECIMAL(10,2)', stock_quantity: 'INTEGER'})
